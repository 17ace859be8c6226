"""A `results.json` of Braket: the counts are the circuit's, and what is not whole is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from qtasks.backends.braket.memory import Memory, measured_qubits, read, write
from qtasks.backends.braket.results import execution_seconds, outcome
from qtasks.backends.protocol import BackendError

ARN = "arn:aws:braket:us-east-1:000000000001:quantum-task/1"
SOURCE = (
    "OPENQASM 3.0;\nbit[3] b;\nqubit[5] q;\nx q[4];\nb[0] = measure q[4];\nb[1] = measure q[0];\nb[2] = measure q[2];"
)
MEMORY = Memory([("a", 2), ("b", 3)], 5, None, {0: 4, 3: 0, 4: 2}, 3)


def result(**more: Any) -> dict[str, Any]:
    """Clbit 0 is qubit 4, clbit 3 qubit 0, clbit 4 qubit 2; the device reports its qubits in another order."""
    plain: dict[str, Any] = {
        "braketSchemaHeader": {"name": "braket.task_result.gate_model_task_result", "version": "1"},
        "measurements": [[0, 1, 1], [0, 1, 1], [1, 0, 0]],
        "measurementProbabilities": None,
        "measuredQubits": [0, 2, 4],
        "taskMetadata": {"id": ARN, "shots": 3, "deviceId": "arn:device", "createdAt": "2026-01-01T00:00:00.000Z"},
        "additionalMetadata": {
            "action": {"source": write(SOURCE, MEMORY)},
            "simulatorMetadata": {"executionDuration": 4200},
        },
    }
    return {**plain, **more}


def test_bits_are_put_where_the_circuit_has_them() -> None:
    found = outcome(json.dumps(result()).encode(), ARN, 3)
    assert found.counts == {hex(0b10001): 2, hex(0b01000): 1}
    assert (found.registers, found.num_clbits, found.clbits, found.shots) == ([("a", 2), ("b", 3)], 5, None, 3)


def test_qubits_that_only_the_device_wanted_measured_are_left_out() -> None:
    plain = result(measuredQubits=[3, 0, 2, 4], measurements=[[1, 0, 1, 1], [0, 0, 1, 1], [1, 1, 0, 0]])
    assert outcome(json.dumps(plain).encode(), ARN, 3).counts == {hex(0b10001): 2, hex(0b01000): 1}


@pytest.mark.parametrize(
    ("shares", "counts"),
    [
        ({"011": 2 / 3, "100": 1 / 3}, {hex(0b10001): 2, hex(0b01000): 1}),
        ({"011": 0.5, "100": 0.3, "000": 0.2}, {hex(0b10001): 1, hex(0b01000): 1, "0x0": 1}),
        ({"011": 0.9, "100": 0.1}, {hex(0b10001): 3}),
    ],
)
def test_probabilities_become_counts_that_add_up(shares: dict[str, float], counts: dict[str, int]) -> None:
    plain = result(measurements=None, measurementProbabilities=shares)
    assert outcome(json.dumps(plain).encode(), ARN, 3).counts == counts


def test_the_time_of_a_simulator_is_kept() -> None:
    found = outcome(json.dumps(result()).encode(), ARN, 3)
    assert execution_seconds(found.metadata) == 4.2
    assert found.metadata["deviceId"] == "arn:device"
    assert execution_seconds({}) is None


def _measured(change: Callable[[list[Any]], Any]) -> dict[str, Any]:
    rows = result()["measurements"]
    change(rows)
    return result(measurements=rows)


SPOILT = {
    "no object": [],
    "a shot less": _measured(lambda rows: rows.pop()),
    "a bit less": _measured(lambda rows: rows[0].pop()),
    "no bit": _measured(lambda rows: rows[0].__setitem__(0, 2)),
    "a word": _measured(lambda rows: rows[0].__setitem__(0, "1")),
    "no shots": result(measurements=[]),
    "another qubit": result(measuredQubits=[0, 2, 3]),
    "another task": result(taskMetadata={"id": f"{ARN}2", "shots": 3}),
    "other shots": result(taskMetadata={"id": ARN, "shots": 4}),
    "half": result(measurements=None, measurementProbabilities={"000": 0.5}),
    "less than nothing": result(measurements=None, measurementProbabilities={"000": 1.5, "111": -0.5}),
    "another schema": result(braketSchemaHeader={"name": "braket.task_result.annealing_task_result", "version": "1"}),
    "another program": result(additionalMetadata={"action": {"source": SOURCE}}),
    "a torn comment": result(additionalMetadata={"action": {"source": "OPENQASM 3.0;\n// qtasks {}\n"}}),
}


@pytest.mark.parametrize("spoilt", SPOILT.values(), ids=SPOILT.keys())
def test_what_is_not_whole_is_refused_for_good(spoilt: Any) -> None:
    with pytest.raises(BackendError) as caught:
        outcome(json.dumps(spoilt).encode(), ARN, 3)
    assert (caught.value.reason, caught.value.heals) == ("ResultInvalid", False)
    assert ARN in caught.value.message


def test_bytes_that_are_no_json_are_refused() -> None:
    for data in (b"", b"\xff", b'{"measurements": ['):
        with pytest.raises(BackendError, match="cannot be used"):
            outcome(data, ARN, 3)


def test_the_memory_comes_back_from_the_program_that_carries_it() -> None:
    source = write(SOURCE, MEMORY)
    assert source.startswith("OPENQASM 3.0;\n// qtasks {")
    assert source.count("\n") == SOURCE.count("\n") + 1
    assert read(source) == MEMORY
    assert measured_qubits(source) == [4, 0, 2]
    assert measured_qubits("b[1] = measure $7;\nb[0] = measure $12;") == [12, 7]


def test_no_name_can_end_the_comment() -> None:
    names = ["a\nx q[0];", "b\r\nx q[0];", "c\u2028x q[0];", "*/ x q[0];"]
    memory = Memory([(name, 1) for name in names], 4, None, {}, 1)
    source = write(SOURCE, memory)
    assert len(source.splitlines()) == len(SOURCE.splitlines()) + 1
    assert read(source) == memory
