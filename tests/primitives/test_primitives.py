"""`SamplerV2` and `EstimatorV2` through a running queue: what Qiskit's own give, as jobs that are found again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.primitives import BaseEstimatorV2, BaseSamplerV2, StatevectorEstimator, StatevectorSampler
from qiskit.quantum_info import SparsePauliOp

from qtasks.client import Client
from qtasks.errors import JobFailed, NotFound
from qtasks.primitives import EstimatorV2, PrimitiveJob, SamplerV2
from qtasks.primitives import job as found_again
from tests.support.stack import Stack

pytestmark = pytest.mark.system


def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2, name="bell", metadata={"made": "here"})
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


def two_registers() -> QuantumCircuit:
    """`first` always equals bit 0 of `second`, whose bit 1 is 1."""
    first, second = ClassicalRegister(1, "first"), ClassicalRegister(2, "second")
    circuit = QuantumCircuit(QuantumRegister(2, "q"), first, second)
    angle = Parameter("angle")
    circuit.ry(angle, 0)
    circuit.x(1)
    circuit.measure([0, 0, 1], [0, 1, 2])
    return circuit


def test_a_run_is_a_job_that_another_process_finds_again(stack: Stack, client: Client) -> None:
    job = SamplerV2(client=client, seed_simulator=7).run([bell()], shots=500)
    counts = job.result(60)[0].data.meas.get_counts()
    program = (
        "import sys; from qtasks.primitives import job; found = job(sys.argv[1]).result(60)[0]; "
        "print(found.data.meas.get_counts(), found.metadata['circuit_metadata'])"
    )
    told = subprocess.run(
        [sys.executable, "-c", program, job.job_id()],
        env=stack.settings.environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert told.stdout.split("} {")[0] + "}" == str(counts)
    assert "'made': 'here'" in told.stdout


def test_counts_have_shape_and_registers_of_qiskits_own_sampler(client: Client) -> None:
    pubs = [(two_registers(), [[[0.0], [np.pi]], [[1.0], [2.0]]]), bell(), (two_registers(), [3.0], 64)]
    ours = SamplerV2(client=client, default_shots=200).run(pubs).result(60)
    theirs = StatevectorSampler(default_shots=200).run(pubs).result()
    for one, other in zip(ours, theirs, strict=True):
        assert list(one.data) == list(other.data)
        assert one.data.shape == other.data.shape
        for name in one.data:
            assert one.data[name].shape == other.data[name].shape
            assert (one.data[name].num_shots, one.data[name].num_bits) == (
                other.data[name].num_shots,
                other.data[name].num_bits,
            )
    first, second = ours[0].data.first, ours[0].data.second
    assert first[0, 0].get_counts() == {"0": 200}
    assert first[0, 1].get_counts() == {"1": 200}
    assert set(ours[0].join_data(["first", "second"])[1, 0].get_counts()) == {"100", "111"}
    assert set(second[1, 1].get_counts()) == {"10", "11"}
    assert [pub.metadata["shots"] for pub in ours] == [200, 200, 64]
    assert ours[1].metadata["circuit_metadata"] == {"made": "here"}


def test_one_seed_gives_the_same_counts_again(client: Client) -> None:
    def counts(seed: int) -> list[dict[str, int]]:
        sampler = SamplerV2(client=client, seed_simulator=seed)
        result = sampler.run([(two_registers(), [[1.0], [1.0]]), bell()]).result(60)
        return [
            result[0].data.first[0].get_counts(),
            result[0].data.first[1].get_counts(),
            result[1].data.meas.get_counts(),
        ]

    once = counts(11)
    assert once == counts(11)
    assert once != counts(12)
    assert once[0] != once[1]


def test_expectation_values_are_those_of_qiskits_own_estimator(client: Client) -> None:
    circuit = QuantumCircuit(2)
    a, b = Parameter("a"), Parameter("b")
    circuit.ry(a, 0)
    circuit.rx(b, 1)
    circuit.cx(0, 1)
    hamiltonian = SparsePauliOp(["ZZ", "XX", "YI", "II"], [1.0, 0.5, -0.25, 2.0])
    values = np.linspace(0, 2, 12).reshape(3, 2, 2)
    pubs = [
        (circuit, hamiltonian, [0.3, 0.7]),
        (circuit, [[hamiltonian], ["ZI"], ["IY"]], values[:, 0]),
        (circuit, ["XZ", hamiltonian], values, 0.05),
    ]
    ours = EstimatorV2(client=client, default_precision=0.02, seed_simulator=5).run(pubs).result(60)
    theirs = StatevectorEstimator(default_precision=0.0).run(pubs, precision=0.0).result()
    for one, other in zip(ours, theirs, strict=True):
        assert one.data.evs.shape == other.data.evs.shape == one.data.stds.shape
    for one, other in zip(list(ours)[:2], list(theirs)[:2], strict=True):
        assert np.abs(one.data.evs - other.data.evs).max() < 0.15
        assert (one.data.stds <= 0.06).all()
    assert ours[2].metadata["target_precision"] == 0.05
    assert ours[2].metadata["shots"] == 400


def test_a_failure_keeps_its_reason(client: Client) -> None:
    wide = QuantumCircuit(9)
    wide.measure_all()
    job = SamplerV2({"type": "ibm_simulator", "name": "ibm_perth"}, client=client).run([wide])
    with pytest.raises(JobFailed) as failed:
        job.result(60)
    assert failed.value.reason == "TooManyQubits"
    assert job.status() == "ERROR"
    assert job.errored()
    assert str(job.error_message()).startswith("TooManyQubits: ")


def test_a_job_that_waits_can_be_cancelled(make_stack: Callable[..., Stack], redis_url: str) -> None:
    client = make_stack(broker_url=redis_url).client()
    job = SamplerV2(client=client).run([bell()])
    assert job.status() == "QUEUED"
    assert not job.in_final_state()
    assert job.cancel()
    assert job.cancelled()
    assert job.in_final_state()
    assert not job.cancel()


def test_a_job_that_is_not_there_is_not_found(client: Client) -> None:
    with pytest.raises(NotFound):
        found_again("01a1f000-0000-7000-8000-000000000000", client=client)


def test_code_for_qiskits_classes_takes_ours(client: Client) -> None:
    with SamplerV2(client=client) as sampler, EstimatorV2(client=client) as estimator:
        assert isinstance(sampler, BaseSamplerV2)
        assert isinstance(estimator, BaseEstimatorV2)
        sampler.options.default_shots = 30
        job = sampler.run([bell()])
    assert isinstance(job, PrimitiveJob)
    assert job.result(60)[0].data.meas.num_shots == 30
    assert job.done()
