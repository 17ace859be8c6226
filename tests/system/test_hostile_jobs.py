"""Hostile jobs among good ones, through a real worker: each of them fails for its own reason, and nobody else does."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qpy
from qiskit.circuit import Gate
from qiskit.circuit.library import QFTGate

from qtasks.client import Client
from qtasks.lifecycle import Phase
from qtasks.resources import QiskitJob
from tests.support.circuits import BELL_QASM, BELL_SOURCE, small_qasm
from tests.support.stack import Stack

pytestmark = pytest.mark.system

DOUBLING = "".join(f"gate g{n} a {{ g{n - 1} a; g{n - 1} a; }}\n" for n in range(1, 40))
EXPLODING_QASM = BELL_QASM.replace("qreg", f"gate g0 a {{ t a; h a; }}\n{DOUBLING}qreg").replace("h q", "g39 q")
WORDS = r"a\0b\x1b[2J\u202e"


def dumped(circuit: QuantumCircuit) -> bytes:
    out = io.BytesIO()
    qpy.dump(circuit, out)
    return out.getvalue()


def wide() -> bytes:
    """A few bytes for fifty million gates."""
    circuit = QuantumCircuit(10_000, 1)
    circuit.append(QFTGate(10_000), range(10_000))
    circuit.measure(0, 0)
    return dumped(circuit)


def named(name: str) -> bytes:
    """A circuit whose register, gate and self have a name that no database takes."""
    circuit = QuantumCircuit(QuantumRegister(1, "q"), ClassicalRegister(1, name), name=name)
    gate, circuit.metadata = Gate(name, 1, []), {name: name}
    gate.definition = QuantumCircuit(1)
    gate.definition.h(0)
    circuit.append(gate, [0])
    circuit.measure(0, 0)
    return dumped(circuit)


HOSTILE: dict[str, tuple[str | bytes, str]] = {
    "reads files": (f"open('/etc/passwd').read()\n{BELL_SOURCE}", "SourceError"),
    "reads its worker": (f"import os\nopen(f'/proc/{{os.getppid()}}/environ').read()\n{BELL_SOURCE}", "SourceError"),
    "kills its maker": (f"import os\nos.kill(os.getppid(), 9)\n{BELL_SOURCE}", "SourceError"),
    "starts a program": ("import subprocess\nsubprocess.run(['/bin/sh', '-c', 'sleep 100'])", "SourceError"),
    "calls home": ("import urllib.request\nurllib.request.urlopen('http://127.0.0.1/')", "SourceError"),
    "takes all memory": ("x = []\nwhile True: x.append(bytearray(1 << 24))", "SandboxMemory"),
    "crashes": ("import ctypes\nctypes.string_at(0)", "SandboxCrashed"),
    "forges an answer": ("import os\nos.write(3, b'\\xff' * 1000)\nos._exit(0)", "SandboxCrashed"),
    "leaves": ("import os\nos._exit(0)", "SandboxCrashed"),
    "words no database takes": (f"print('{WORDS}')\nraise ValueError('{WORDS}')", "SourceError"),
    "half a character": ("print('\\ud800')\nraise ValueError('\\ud800')", "SourceError"),
    "OpenQASM with a zero byte": ("OPENQASM 2.0;\nqreg \0q[1];\n", "InvalidCircuit"),
    "names no database takes": (named("a\0b"), "InvalidName"),
    "explodes in QASM": (EXPLODING_QASM, "TooLarge"),
    "includes a file": ('OPENQASM 2.0;\ninclude "/etc/passwd";\n', "InvalidCircuit"),
    "a register too large": ("OPENQASM 2.0;\nqreg q[4000000000];\n", "InvalidCircuit"),
    "explodes in QPY": (wide(), "SandboxCrashed"),
    "QPY cut short": (dumped(QuantumCircuit.from_qasm_str(BELL_QASM))[:-40], "InvalidCircuit"),
    "QPY that names a class that is no gate": (
        dumped(QuantumCircuit.from_qasm_str(BELL_QASM)).replace(b"\x00\x05\x00\x00", b"\x00\x09\x00\x00", 1)
        .replace(b"HGate", b"Blueprint"),
        "InvalidCircuit",
    ),
}  # fmt: skip


LOOPS = {"loops": "while True: pass", "sleeps": "import time\ntime.sleep(600)"}


def patient(source: str) -> QiskitJob:
    """A job whose validation may take a second, and not a minute."""
    spec = {"circuit": {"source": "inline", "code": source}, "timeouts": {"validation": "1s"}}
    return QiskitJob(metadata={}, spec=spec)  # type: ignore[arg-type]


@pytest.fixture
def client(make_stack: Callable[..., Stack], postgres_url: str, redis_url: str) -> Client:
    stack = make_stack(database_url=postgres_url, broker_url=redis_url, sandbox_memory="256Mi")
    stack.worker(concurrency=2)
    return stack.client()


def test_each_hostile_job_fails_for_its_own_reason_and_every_good_one_completes(client: Client) -> None:
    good, bad = [], {}
    for number, (name, (circuit, _)) in enumerate(HOSTILE.items()):
        good.append(client.submit(small_qasm(number), shots=64))
        bad[name] = client.submit(circuit, shots=64)
        if not number:
            bad |= {loop: client.submit(patient(source)) for loop, source in LOOPS.items()}
        good.append(client.submit(BELL_SOURCE.replace("(2, 2)", f"(2, 2, name='c{number}')"), shots=64))
    for job in good:
        assert sum(job.result(90).get_counts().values()) == 64
    found = {}
    for name, job in bad.items():
        job.wait_for_final_state(timeout=60)
        found[name] = (job.status(), job.to_dict()["status"]["reason"])
    expected = {name: reason for name, (_, reason) in HOSTILE.items()} | dict.fromkeys(LOOPS, "ValidationTimeout")
    assert found == {name: (Phase.FAILED, reason) for name, reason in expected.items()}
    assert client.submit(BELL_SOURCE, shots=64).result(20).get_counts()
