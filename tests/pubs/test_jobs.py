"""Jobs of several circuits on simulators of our own: shapes, seeds, expectation values, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qtasks.client import Client, Job
from qtasks.errors import InvalidInput, JobFailed
from qtasks.results import EstimatorPubResult, SamplerPubResult, decode, encode
from tests.pubs.payloads import exact, fixed, job, observables, payload, pub, qpy, turned
from tests.support import insides
from tests.support.house import House

pytestmark = pytest.mark.system


@pytest.fixture
def client(house: House) -> Client:
    house.workers(1)
    return house.client()


GRID = np.linspace(0.1, 1.3, 12).reshape(2, 3, 2)
"""Values of two parameters for an array of shape (2, 3)."""


def sampled(client: Client, **execution: Any) -> Job:
    code = payload([qpy(turned())], [pub(0, GRID, ["a", "b"], shots=200)])
    return client.submit(job("sampler", code, **execution))


def test_a_sampler_gives_counts_for_each_point_of_a_shape(client: Client) -> None:
    result = sampled(client, seedSimulator=7).result(60)
    (entry,) = result.pubs
    assert isinstance(entry, SamplerPubResult)
    assert entry.shape == (2, 3)
    assert [sum(counts.values()) for _, counts in entry.each()] == [200] * 6
    with pytest.raises(InvalidInput) as caught:
        result.get_counts()
    assert caught.value.reason == "SeveralPoints"
    assert result.get_counts(point=(1, 2)) == entry.get_counts((1, 2))
    assert decode(encode(result)) == result


def test_qiskit_s_own_classes_have_the_shape(client: Client) -> None:
    result = sampled(client).result(60)
    (entry,) = result.to_primitive_result()
    assert entry.data.meas.shape == (2, 3)
    assert entry.data.meas.num_shots == 200
    assert entry.data.meas.get_counts((1, 2)) == result.get_counts(point=(1, 2))


def test_the_i_th_run_has_the_counts_that_it_would_have_had_alone(client: Client) -> None:
    together = sampled(client, seedSimulator=7).result(60)
    flat = GRID.reshape(-1, 2)
    alone = [
        client.submit(
            turned().assign_parameters({"a": row[0], "b": row[1]}), shots=200, seed_simulator=7 + 2113 * number
        )
        for number, row in enumerate(flat)
    ]
    found = [counts for _, counts in together.pubs[0].each()]  # type: ignore[union-attr]
    assert found == [one.result(60).get_counts() for one in alone]


def test_pubs_keep_their_own_shots_and_their_order(client: Client) -> None:
    code = payload(
        [qpy(fixed("01")), qpy(fixed("110")), {"format": "qasm3", "code": QASM3}],
        [pub(0, shots=10), pub(1, shots=30), pub(2, [[0.0], [math.pi]], ["theta"], shots=20), pub(0, shots=30), pub(1)],
    )
    work = client.submit(job("sampler", code, shots=40, seedSimulator=3))
    result = work.result(60)
    assert [result.get_counts(0), result.get_counts(1), result.get_counts(3), result.get_counts(4)] == [
        {"01": 10},
        {"110": 30},
        {"01": 30},
        {"110": 40},
    ]
    assert [result.get_counts(2, 0), result.get_counts(2, 1)] == [{"0": 20}, {"1": 20}]
    assert insides.row(work).shots == 10 + 30 + 2 * 20 + 30 + 40
    assert insides.row(work).counts is None


QASM3 = 'OPENQASM 3.0; include "stdgates.inc"; input float[64] theta; qubit q; bit c; rx(theta) q; c = measure q;'


def test_the_seed_that_was_made_gives_the_same_counts_again(client: Client) -> None:
    first = sampled(client).result(60)
    again = sampled(client, seedSimulator=first.provenance.seed_simulator).result(60)
    assert again.pubs == first.pubs


TERMS = [{"ZZ": 1.0, "XX": 0.5}, {"IZ": 2.0, "YY": -0.7}, {"XI": 1.0, "II": 3.0}, {"ZI": 0.25}]
ROWS = np.random.default_rng(5).uniform(-3, 3, (10, 2))


def estimated(client: Client, precision: float, **execution: Any) -> EstimatorPubResult:
    """Four observables, each at ten points."""
    found = observables(*TERMS, shape=[4, 1])
    code = payload([qpy(turned(measured=False))], [pub(0, ROWS, ["a", "b"], observables=found, precision=precision)])
    (entry,) = client.submit(job("estimator", code, **execution)).result(60).pubs
    assert isinstance(entry, EstimatorPubResult)
    return entry


def test_observables_and_values_broadcast_and_lie_around_the_exact_values(client: Client) -> None:
    entry = estimated(client, 0.02, seedSimulator=11)
    evs, stds = np.array(entry.evs), np.array(entry.stds)
    assert evs.shape == stds.shape == (4, 10)
    wanted = [[exact(turned(measured=False), {"a": row[0], "b": row[1]}, terms) for row in ROWS] for terms in TERMS]
    assert (np.abs(evs - wanted) <= 5 * stds + 1e-9).all()
    assert (np.abs(evs - wanted) > 0).any()
    assert entry.metadata == {"shots": 2500, "target_precision": 0.02}


def test_standard_errors_fall_with_the_root_of_the_shots(client: Client) -> None:
    coarse, fine = (np.array(estimated(client, precision, seedSimulator=4).stds) for precision in (0.08, 0.01))
    assert fine.sum() / coarse.sum() == pytest.approx(1 / 8, rel=0.1)


def test_a_seed_gives_the_same_expectation_values_again(client: Client) -> None:
    assert estimated(client, 0.1, seedSimulator=9) == estimated(client, 0.1, seedSimulator=9)


def test_the_layout_of_a_device_changes_no_meaning(client: Client) -> None:
    """On the model of a device qubits are laid out, routed and noisy; the signs of the values stay theirs."""
    circuit = QuantumCircuit(4)
    circuit.x([0, 3])
    found = observables({"IIIZ": 1.0}, {"IIZI": 1.0}, {"IZII": 1.0}, {"ZIII": 1.0}, {"ZIIZ": 1.0}, shape=[5])
    code = payload([qpy(circuit)], [pub(0, observables=found, precision=0.05)])
    backend = {"type": "ibm_simulator", "name": "fake_hanoi"}
    work = client.submit(job("estimator", code, backend=backend, initialLayout=[5, 8, 2, 0]))
    entry = work.result(120).pubs[0]
    assert np.sign(entry.evs).tolist() == [-1, 1, 1, -1, 1]  # type: ignore[union-attr]


def test_identical_jobs_are_answered_by_the_stored_result(client: Client) -> None:
    first = sampled(client, seedSimulator=5)
    wanted = first.result(60)
    second = sampled(client, seedSimulator=5, reuse="identical")
    assert second.result(60).pubs == wanted.pubs
    assert second.result().provenance.reused_from == first.job_id()


def test_a_circuit_that_fails_in_the_sandbox_is_named_by_its_number(client: Client) -> None:
    code = payload([qpy(fixed("1")), qpy(turned(measured=False))], [pub(0), pub(1, [[1.0, 2.0]], ["a", "b"])])
    with pytest.raises(JobFailed) as caught:
        client.submit(job("sampler", code)).result(60)
    assert caught.value.reason == "NothingMeasured"
    assert "circuits[1] with pubs[1].values[0]" in str(caught.value)


@pytest.mark.parametrize(
    ("program", "code", "reason"),
    [
        ("sampler", payload([qpy(turned())], [pub(0, [[1.0]], ["a"])]), "UnboundParameters"),
        ("sampler", payload([qpy(turned())], [pub(0, [[1.0, 1.0, 1.0]], ["a", "b", "c"])]), "UnknownParameters"),
        ("sampler", payload([{"format": "qpy", "code": "UUlTS0lU"}], [pub(0)]), "InvalidCircuit"),
        ("estimator", payload([qpy(fixed("1"))], [pub(0, observables=observables({"Z": 1}))]), "EstimatorMeasures"),
        (
            "estimator",
            payload([qpy(turned(measured=False))], [pub(0, [[1, 2]], ["a", "b"], observables=observables({"Z": 1}))]),
            "InvalidObservable",
        ),
    ],
)
def test_what_does_not_fit_its_circuit_fails_with_a_reason(
    client: Client, program: str, code: str, reason: str
) -> None:
    with pytest.raises(JobFailed) as caught:
        client.submit(job(program, code)).result(60)
    assert caught.value.reason == reason
