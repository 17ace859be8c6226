"""Reading circuits in a sandbox child: canonical QPY and an analysis, or what is wrong, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qtasks.circuits import binding, formats, soundness
from qtasks.circuits.analysis import Analysis, analyse
from qtasks.circuits.errors import CircuitError, plain, say
from qtasks.circuits.fingerprint import fingerprint
from qtasks.circuits.parameters import renew
from qtasks.circuits.python import source

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


def answer(item: Mapping[str, Any], data: bytes, limits: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The answer to one item as plain data, and its QPY; never raises."""
    output = source.Output()
    notes: list[str] = []
    try:
        circuit = _circuit(item, data, output, notes)
        soundness.check_names(circuit)
        found: dict[str, Any] = {}
        if item["analyse"]:
            soundness.check_instructions(circuit)
            renew(circuit)
            analysis = analyse(circuit)
            _check(analysis, item, limits)
            found = {"analysis": analysis.as_data(), "fingerprint": fingerprint(circuit)}
        qpy = formats.dump(circuit)
        if len(qpy) > limits["output"]:
            raise CircuitError(
                f"The circuit takes {len(qpy):,} bytes of QPY; {limits['output']:,} are allowed.", reason="TooLarge"
            )
        return {"ok": True, "output": plain(output.text()), "notes": [plain(note) for note in notes], **found}, qpy
    except CircuitError as error:
        problem = error.as_data()
    except MemoryError:
        problem = {"reason": "SandboxMemory"}
    except RecursionError:
        problem = CircuitError("The circuit nests too deeply.", reason="TooLarge").as_data()
    except UnicodeEncodeError:
        problem = CircuitError("A name in the circuit cannot be written down as text.", reason="InvalidName").as_data()
    except BaseException as error:  # Qiskit's Rust panics with a BaseException
        problem = CircuitError(f"{type(error).__name__}: {say(error)}").as_data()
    told = {key: plain(value) if isinstance(value, str) else value for key, value in problem.items()}
    said = {"output": plain(output.text()), "notes": [plain(note) for note in notes]}
    return {"ok": False, "error": told, **said}, b""


def _circuit(item: Mapping[str, Any], data: bytes, output: source.Output, notes: list[str]) -> QuantumCircuit:
    """The circuit with its parameters bound; what is to be said of its source beside that goes into `notes`."""
    values = item["parameters"]
    if item["format"] != formats.PYTHON:
        circuit = formats.read(data, item["format"])
        return binding.bind(circuit, values) if values else circuit
    text = formats.text_of(data)
    inspected = source.read(text)
    notes += [str(note) for note in inspected.notes]
    binding.check_finite(values)
    made = source.run(text, inspected, values, output)
    if made.note:
        notes.append(made.note)
    return binding.bind(made.circuit, values, made.taken) if values else made.circuit


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
