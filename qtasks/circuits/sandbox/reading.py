"""Reading circuits in a sandbox child: canonical QPY and an analysis, or what is wrong, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qtasks.circuits import formats, source
from qtasks.circuits.analysis import Analysis, analyse
from qtasks.circuits.errors import CircuitError, say
from qtasks.circuits.fingerprint import fingerprint

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


def answer(item: Mapping[str, Any], data: bytes, limits: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The answer to one item as plain data, and its QPY; never raises."""
    output = source.Output()
    try:
        circuit = _circuit(item["format"], data, output)
        if item["parameters"]:
            circuit = _bound(circuit, item["parameters"])
        found: dict[str, Any] = {}
        if item["analyse"]:
            analysis = analyse(circuit)
            _check(analysis, item, limits)
            found = {"analysis": analysis.as_data(), "fingerprint": fingerprint(circuit)}
        qpy = formats.dump(circuit)
        if len(qpy) > limits["output"]:
            raise CircuitError(
                f"The circuit takes {len(qpy):,} bytes of QPY; {limits['output']:,} are allowed.", reason="TooLarge"
            )
        return {"ok": True, "output": output.text(), **found}, qpy
    except CircuitError as error:
        problem = error.as_data()
    except MemoryError:
        problem = {"reason": "SandboxMemory"}
    except RecursionError:
        problem = CircuitError("The circuit nests too deeply.", reason="TooLarge").as_data()
    except BaseException as error:  # Qiskit's Rust panics with a BaseException
        problem = CircuitError(f"{type(error).__name__}: {say(error)}").as_data()
    return {"ok": False, "error": problem, "output": output.text()}, b""


def _circuit(format: str, data: bytes, output: source.Output) -> QuantumCircuit:  # noqa: A002
    if format == formats.PYTHON:
        return source.run(formats.text_of(data), output)
    return formats.read(data, format)


def _bound(circuit: QuantumCircuit, values: Mapping[str, float]) -> QuantumCircuit:
    names = {parameter.name for parameter in circuit.parameters}
    vectors = {vector.name for p in circuit.parameters if (vector := getattr(p, "vector", None)) is not None}
    if unknown := sorted(set(values) - names - vectors):
        raise CircuitError(
            f"The circuit has no parameter {', '.join(unknown)}.",
            reason="UnknownParameters",
            hint=f"It has: {', '.join(sorted(names)) or 'none'}.",
        )
    try:
        return circuit.assign_parameters(dict(values))
    except (TypeError, ValueError, ArithmeticError) as error:
        raise CircuitError(f"The parameters cannot be bound: {say(error)}", reason="UnboundParameters") from None


def _check(analysis: Analysis, item: Mapping[str, Any], limits: Mapping[str, Any]) -> None:
    if analysis.expanded_size > limits["operations"]:
        raise CircuitError(
            f"The circuit unrolls to {analysis.expanded_size:,} operations; {limits['operations']:,} are allowed.",
            reason="TooLarge",
        )
    if analysis.parameters and item["bound"]:
        raise CircuitError(
            f"The circuit has unbound parameters: {', '.join(analysis.parameters)}.",
            reason="UnboundParameters",
            hint="Give their values in execution.parameters.",
        )
    if not analysis.measurements and item["measured"]:
        raise CircuitError("The circuit measures nothing.", reason="NothingMeasured", hint="Add qc.measure_all().")
