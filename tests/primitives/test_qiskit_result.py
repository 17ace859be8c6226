"""A job's result in the form that backends give."""

from __future__ import annotations

from qiskit import QuantumCircuit

from qtasks.primitives.qiskit_result import qiskit_result
from qtasks.results import JobResult, Provenance, SamplerPubResult


def of(*pubs: SamplerPubResult) -> JobResult:
    return JobResult("0-1", "sampler", pubs, Provenance(circuit_hash="h", backend="local_simulator", run_seconds=0.5))


BELL = SamplerPubResult([("meas", 2)], 2, 10, {"0x3": 6, "0x0": 4})
TWO_REGISTERS = SamplerPubResult([("a", 1), ("b", 2)], 3, 5, {"0x5": 5})


def test_counts_are_found_by_number_by_name_and_by_circuit() -> None:
    result = qiskit_result(of(BELL, TWO_REGISTERS), [{"name": "bell"}, {"name": "two"}], backend="ibm_perth")
    assert result.success
    assert result.backend_name == "ibm_perth"
    assert result.get_counts(0) == {"11": 6, "00": 4}
    assert result.get_counts("two") == {"10 1": 5}
    assert result.get_counts(QuantumCircuit(1, name="bell")) == {"11": 6, "00": 4}


def test_memory_has_an_outcome_for_each_shot() -> None:
    result = qiskit_result(of(BELL), [], backend="b", memory=True)
    assert result.get_memory() == ["00"] * 4 + ["11"] * 6
    assert "memory" not in qiskit_result(of(BELL), [], backend="b").data()


def test_the_header_has_what_analyses_of_experiments_read() -> None:
    circuits = [{"name": "bell", "metadata": {"xval": 1.5}}]
    header = qiskit_result(of(BELL), circuits, backend="b").results[0].header
    assert header["metadata"] == {"xval": 1.5}
    assert header["creg_sizes"] == [["meas", 2]]
    assert header["memory_slots"] == 2


def test_a_circuit_that_measured_nothing_has_no_counts() -> None:
    result = qiskit_result(of(SamplerPubResult([], 0, 7, {})), [], backend="b", memory=True)
    assert result.data() == {}
    assert result.results[0].shots == 7
