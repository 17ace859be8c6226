"""QPY from strangers: bombs, files cut short or corrupted, names that are no gates; and their neighbours in a batch."""

from __future__ import annotations

import base64
import io
import struct

import pytest
from qiskit import QuantumCircuit, qpy
from qiskit.circuit.library import QFTGate, UnitaryGate

from qtasks.circuits.sandbox import Limits
from tests.sandbox.asking import BELL, QASM2
from tests.sandbox.users import Attacked

LIMITS = Limits(wall_seconds=1, memory_bytes=256 << 20)
UNREADABLE = {"InvalidCircuit", "TooLarge", "SandboxMemory", "SandboxCrashed"}


def dumped(circuit: QuantumCircuit) -> bytes:
    out = io.BytesIO()
    qpy.dump(circuit, out)
    return out.getvalue()


def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def with_gate(gate: object, qubits: int) -> QuantumCircuit:
    circuit = QuantumCircuit(qubits, 1)
    circuit.append(gate, range(qubits))
    circuit.measure(0, 0)
    return circuit


def renamed(name: bytes) -> bytes:
    return (
        dumped(bell()).replace(b"\x00\x05\x00\x00", struct.pack("!H", len(name)) + b"\0\0", 1).replace(b"HGate", name)
    )


def qpy_bombs() -> dict[str, bytes]:
    good = dumped(bell())
    names = (
        "Blueprint",
        "__class__",
        "QuantumCircuit",
        "os",
        "standard_gates",
        "Parameter",
        "Instruction",
        "h",
        "\udcff",
    )
    return {
        "cut short": good[:-40],
        "the head alone": good[:6],
        "empty": b"QISKIT",
        "of the future": good[:6] + b"\xff" + good[7:],
        "of the past": good[:6] + b"\x01" + good[7:],
        "thousands of circuits": good.replace(struct.pack("!Q", 1), struct.pack("!Q", 2**60), 1),
        "many bits": good.replace(struct.pack("!II", 2, 2), struct.pack("!II", 2**31, 2**31)),
        "huge lengths": good[:20] + b"\xff" * 40 + good[60:],
        "two circuits": _two(),
        "broken base64": base64.b64encode(good)[:-3] + b"!!!",
        "gzip": b"QISKIT" + b"\x1f\x8b" + bytes(100),
        "noise": b"QISKIT" + bytes(range(256)) * 100,
        **{f"a class named {name!r}": renamed(name.encode("utf-8", "surrogateescape")) for name in names},
    }


def _two() -> bytes:
    out = io.BytesIO()
    qpy.dump([bell(), bell()], out)
    return out.getvalue()


@pytest.mark.system
def test_a_qpy_bomb_is_refused_and_its_neighbours_in_the_batch_are_not(attacked: Attacked) -> None:
    bombs = qpy_bombs()
    batch: dict[str, bytes] = {}
    for name, data in bombs.items():
        batch |= {name: data, f"after {name}": QASM2}
    found = attacked.reasons(batch, LIMITS)
    assert {name: reason for name, reason in found.items() if name not in bombs and reason != "ok"} == {}
    assert {name: reason for name, reason in found.items() if name in bombs and reason not in UNREADABLE} == {}


@pytest.mark.system
def test_qpy_that_expands_is_refused(attacked: Attacked) -> None:
    bombs = {
        "a transform over ten thousand qubits": dumped(with_gate(QFTGate(10_000), 10_000)),
        "eight million bytes of matrix": dumped(with_gate(UnitaryGate([[1, 0], [0, 1]]), 1)) + bytes(9 << 20),
    }
    found = attacked.reasons(bombs, LIMITS)
    assert {name: reason for name, reason in found.items() if reason not in {*UNREADABLE, "ValidationTimeout"}} == {}


CUT = [(at, value) for at in range(40, 330, 24) for value in (0xFF, 0x7F)]


@pytest.mark.system
def test_corrupted_qpy_harms_no_neighbour(attacked: Attacked) -> None:
    good = dumped(bell())
    for at, value in CUT:
        broken = bytearray(good)
        broken[at % len(broken)] ^= value
        found = attacked.reasons({"a": good, "b": bytes(broken), "c": good}, LIMITS)
        assert (found["a"], found["c"]) == ("ok", "ok"), (at, value)


def test_a_good_one_in_every_form_is_still_read(attacked: Attacked) -> None:
    good = dumped(bell())
    forms = {"python": BELL, "qasm": QASM2, "qpy": good, "base64": base64.b64encode(good)}
    assert attacked.reasons(forms, LIMITS) == dict.fromkeys(forms, "ok")
