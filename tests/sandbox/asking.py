"""Short ways to ask a sandbox, and to wait for what must come to hold."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from qtasks.circuits.sandbox import Checked, Limits, Rejected, Sandbox, Source

BELL = "from qiskit import QuantumCircuit\nqc = QuantumCircuit(1, 1)\nqc.h(0)\nqc.measure(0, 0)\n"
QASM2 = b'OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; creg c[1]; h q[0]; measure q -> c;'


def ask(sandbox: Sandbox, source: str, limits: Limits | None = None) -> Checked | Rejected:
    return sandbox.check([Source("it", "python", source.encode())], limits)[0]


def told(sandbox: Sandbox, source: str) -> str:
    """What a source prints before it makes a good circuit."""
    answer = ask(sandbox, source + "\n" + BELL)
    assert isinstance(answer, Checked), answer
    return answer.output


def reasons(found: list[Checked | Rejected]) -> list[str]:
    return [answer.reason if isinstance(answer, Rejected) else "ok" for answer in found]


def eventually(holds: Callable[[], bool], seconds: float = 5.0) -> None:
    """Waits for a condition, with a deadline."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold in time"
        time.sleep(0.01)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def server(sandbox: Sandbox) -> int:
    pid = sandbox._process.pid
    assert pid is not None
    return pid
