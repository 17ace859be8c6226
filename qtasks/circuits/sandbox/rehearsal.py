"""A rehearsal: one circuit read in every format, so that nothing is done for the first time when it matters.

In the warm process this imports what reading takes. In a spare child it makes the pages its own that reading writes to
(every reference count is a write): some 1,300 page faults, which are most of what a small circuit costs, ahead.
"""

from __future__ import annotations

import sys
from typing import Any

from qtasks.circuits import formats
from qtasks.circuits.sandbox import reading

_SOURCES = {
    formats.PYTHON: b"from qiskit import QuantumCircuit\nqc = QuantumCircuit(2, 2)\nqc.h(0)\nqc.cx(0, 1)\n"
    b"qc.measure([0, 1], [0, 1])\n",
    formats.QASM2: b'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q -> c;',
    formats.QASM3: b'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;',
}
_LIMITS = {"output": 2**20, "operations": 1000}
_IN_A_SPARE = (formats.PYTHON,)


def rehearse(wanted: tuple[str, ...] = _IN_A_SPARE) -> None:
    """Reads a Bell pair in the formats `wanted` and as the QPY that comes of each."""
    kept = sys.stdout, sys.stderr, sys.modules["__main__"]
    try:
        for name in wanted:
            _, qpy = _read(name, _SOURCES[name], analyse=name != formats.PYTHON)
            _read(formats.QPY, qpy, analyse=True)
    finally:
        sys.stdout, sys.stderr, sys.modules["__main__"] = kept


def in_full() -> None:
    """Every format, once."""
    rehearse(tuple(_SOURCES))


def _read(name: str, data: bytes, *, analyse: bool) -> tuple[dict[str, Any], bytes]:
    item = {"format": name, "parameters": {}, "analyse": analyse, "measured": True, "bound": True}
    answer, qpy = reading.answer(item, data, _LIMITS)
    if not answer["ok"]:
        raise AssertionError(f"the rehearsal failed: {answer['error']}")
    return answer, qpy
