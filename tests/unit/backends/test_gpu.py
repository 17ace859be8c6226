"""A worker that is to use a GPU: what the GPU does not do runs on processors."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from qiskit import QuantumCircuit

from qtasks.backends.aer import AerBackend
from qtasks.backends.protocol import Program, Ran
from qtasks.backends.threads import Cores
from qtasks.circuits.formats import dump


def test_where_there_is_no_gpu_a_job_has_the_counts_of_processors_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.t(0)
    circuit.cx(0, 2)
    circuit.measure_all()
    program = Program("one", dump(circuit), 200, method="statevector", seed_simulator=7)
    with caplog.at_level(logging.WARNING, logger="qtasks"):
        (there,) = AerBackend(Cores(tmp_path, 1)).run([program])
        assert not caplog.records
        (here,) = AerBackend(Cores(tmp_path, 1), gpu=True).run([program])
    assert isinstance(there, Ran)
    assert isinstance(here, Ran)
    assert here.counts == there.counts
    assert ["GPU" in record.message for record in caplog.records] == [True]
