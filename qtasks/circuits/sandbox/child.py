"""What runs in a sandbox child: it reads circuits that it was sent and answers with canonical QPY and an analysis.

Everything it answers is untrusted to the client: a Python source may have changed any of this code before it ran.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qtasks.circuits import formats, source
from qtasks.circuits.analysis import Analysis, analyse
from qtasks.circuits.errors import CircuitError, say
from qtasks.circuits.fingerprint import fingerprint
from qtasks.circuits.sandbox import wire
from qtasks.circuits.sandbox.confine import PIPE, confine, detach

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

# Qiskit's generator of parameter UUIDs (Rust) goes on in every fork from the same state, so that `Parameter("t")` of
# two children would compare equal. It takes new entropy from the system after 64 KiB, which is 4096 UUIDs: 0.9 ms.
_UUIDS_UNTIL_RESEED = 4200


def main(control: int, parent: int) -> None:
    """The whole life of a child: cut off at once, then wait for a request on `control`, answer it, end."""
    detach(control, parent)
    with socket.socket(fileno=PIPE) as waiting:
        message, descriptors, _, _ = socket.recv_fds(waiting, 65536, 1)
        if not message:
            return
        os.dup2(descriptors[0], waiting.detach(), inheritable=False)
        os.close(descriptors[0])
    limits = json.loads(message)
    confine(limits["memory"], limits["cpu"])
    if limits["reseed"]:
        _reseed()
    _serve(socket.socket(fileno=PIPE), limits)


def _reseed() -> None:
    import numpy
    from qiskit.circuit import Parameter

    for _ in range(_UUIDS_UNTIL_RESEED):
        Parameter("_")
    numpy.random.seed()


def _serve(pipe: socket.socket, limits: Mapping[str, Any]) -> None:
    header, body = wire.Reader(pipe).frame()
    view, start = memoryview(body), 0
    unsent: list[bytes] = []
    last = time.monotonic()
    items = json.loads(header)["items"]
    if not any(item["format"] == formats.PYTHON for item in items):
        # A child that only parses is gone before its garbage matters.
        gc.disable()
    for item in items:
        data = bytes(view[start : start + item["size"]])
        start += item["size"]
        answer, qpy = _answer(item, data, limits)
        unsent.append(wire.frame({"id": item["id"], **answer}, qpy))
        # Several small answers go together: waking the client for each costs more than a small circuit does.
        if time.monotonic() - last >= limits["flush"]:
            pipe.sendall(b"".join(unsent))
            unsent.clear()
            last = time.monotonic()
    pipe.sendall(b"".join(unsent))


def _answer(item: Mapping[str, Any], data: bytes, limits: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    output = source.Output()
    try:
        circuit = _circuit(item["format"], data, output)
        if item["parameters"]:
            circuit = _bound(circuit, item["parameters"])
        answer: dict[str, Any] = {}
        if item["analyse"]:
            analysis = analyse(circuit)
            _check(analysis, item, limits)
            answer = {"analysis": analysis.as_data(), "fingerprint": fingerprint(circuit)}
        qpy = formats.dump(circuit)
        if len(qpy) > limits["output"]:
            raise CircuitError(
                f"The circuit takes {len(qpy):,} bytes of QPY; {limits['output']:,} are allowed.", reason="TooLarge"
            )
        return {"ok": True, "output": output.text(), **answer}, qpy
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
