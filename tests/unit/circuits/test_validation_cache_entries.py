"""Entries of the validation cache: found by all that they depend on, and believed only when we signed them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from qtasks.circuits.analysis import Analysis
from qtasks.circuits.cache import LASTING, Seal
from qtasks.circuits.sandbox import Checked, Limits, Rejected, Source
from qtasks.circuits.sandbox.answers import REASONS

ANALYSIS = Analysis(
    qubits=2,
    clbits=2,
    registers=[("c", 2)],
    depth=3,
    size=4,
    expanded_size=4,
    gates={"h": 1, "cx": 1, "measure": 2},
    two_qubit_gates=1,
    measurements=2,
    has_control_flow=False,
    mid_circuit_measurement=False,
    parameters=[],
    clifford=True,
    active_qubits=2,
    memory={"statevector": 64},
)
CHECKED = Checked("job-1", b"QISKIT\x00\xff", ANALYSIS, "f" * 64, "it prints\n")
REJECTED = Rejected("job-1", "InvalidSyntax", "No.", "Mend it.", line=3, column=1, text="qc = (")
SOURCE = Source("job-1", "python", b"qc = 1", {"theta": 0.5})


def seal(key: bytes = b"k" * 32, **changes: Any) -> Seal:
    context = {"namespace": "default", "limits": Limits(), "versions": {"qiskit": "2.6.1"}}
    return Seal(key, **{**context, **changes})


@pytest.mark.parametrize("answer", [CHECKED, REJECTED])
def test_an_answer_comes_back_whole_for_whoever_asks(answer: Any) -> None:
    name = seal().name(SOURCE)
    entry = seal().close(name, answer)
    assert entry is not None
    assert seal().open(name, entry, "job-2") == replace(answer, id="job-2")


@pytest.mark.parametrize(
    "other",
    [
        replace(SOURCE, data=b"qc = 2"),
        replace(SOURCE, format="qasm2"),
        replace(SOURCE, format=None),
        replace(SOURCE, parameters={"theta": 0.25}),
        replace(SOURCE, parameters=None),
        replace(SOURCE, measured=False),
        replace(SOURCE, bound=False),
    ],
)
def test_another_source_has_another_name(other: Source) -> None:
    assert seal().name(other) != seal().name(SOURCE)


@pytest.mark.parametrize(
    "changes",
    [
        {"namespace": "other"},
        {"key": b"x" * 32},
        {"versions": {"qiskit": "2.6.2"}},
        {"limits": Limits(operations=7)},
        {"limits": Limits(output_bytes=7)},
        {"limits": Limits(input_bytes=7)},
    ],
)
def test_what_an_answer_depends_on_is_in_its_name(changes: dict[str, Any]) -> None:
    assert seal(**changes).name(SOURCE) != seal().name(SOURCE)


def test_the_job_and_the_order_of_parameters_are_not_in_the_name() -> None:
    one = Source("job-1", "qasm2", b"qc = 1", {"a": 1.0, "b": 2.0})
    other = Source("job-2", "qasm2", b"qc = 1", {"b": 2.0, "a": 1.0})
    assert seal().name(one) == seal().name(other)


def test_bytes_cannot_move_from_one_part_of_a_name_to_the_next() -> None:
    assert seal().name(Source("", "a", b'bc"')) != seal().name(Source("", 'a"bc', b""))


def test_an_entry_that_was_touched_is_none() -> None:
    name = seal().name(SOURCE)
    entry = seal().close(name, CHECKED)
    assert entry is not None
    for place in range(len(entry)):
        assert seal().open(name, entry[:place] + bytes([entry[place] ^ 1]) + entry[place + 1 :], "job-1") is None
    for length in range(len(entry)):
        assert seal().open(name, entry[:length], "job-1") is None
    assert seal().open(name, entry + b"\0", "job-1") is None


def test_an_entry_of_another_source_or_another_key_is_none() -> None:
    name, other = seal().name(SOURCE), seal().name(replace(SOURCE, data=b"another"))
    entry = seal().close(name, CHECKED)
    assert entry is not None
    assert seal().open(other, entry, "job-1") is None
    assert seal(b"x" * 32).open(name, entry, "job-1") is None


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_only_refusals_that_will_come_again_are_kept(reason: str) -> None:
    kept = seal().close(seal().name(SOURCE), Rejected("job-1", reason, "No."))
    assert (kept is not None) is (reason in LASTING)


def test_what_time_memory_or_a_crash_decided_is_not_lasting() -> None:
    assert set(REASONS) > LASTING
    assert not LASTING & {"ValidationTimeout", "SandboxMemory", "SandboxCrashed", "SourceError", "InvalidCircuit"}
