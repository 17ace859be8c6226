"""Jobs on `ibm_simulator`: the model of a named device with its noise, offline."""

from __future__ import annotations

import pytest

from qtasks.client import Client
from qtasks.lifecycle import Phase
from tests.support import insides
from tests.support.circuits import bell
from tests.support.house import House

pytestmark = pytest.mark.system

GHZ = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[3]; creg c[3]; h q[0]; cx q[0],q[1]; cx q[1],q[2]; measure q -> c;'


@pytest.fixture
def client(house: House) -> Client:
    house.workers(1)
    return house.client()


def test_a_job_runs_on_the_model_of_a_named_device_with_its_noise(client: Client) -> None:
    backend = {"type": "ibm_simulator", "name": "ibm_brisbane"}
    noisy = client.submit(GHZ, shots=4000, seed_simulator=7, backend=backend)
    again = client.submit(GHZ, shots=4000, seed_simulator=7, backend=backend)
    ideal = client.submit(GHZ, shots=4000, seed_simulator=7)
    counts = noisy.result(timeout=90).get_counts()
    assert sum(counts.values()) == 4000
    assert counts == again.result(timeout=90).get_counts()
    assert set(ideal.result(timeout=90).get_counts()) == {"000", "111"}
    assert 0.01 < 1 - (counts["000"] + counts["111"]) / 4000 < 0.3
    provenance = noisy.result().provenance
    assert provenance.backend == "fake_brisbane"
    assert provenance.calibration is not None
    assert insides.objects(client).exists(provenance.calibration)


def test_a_circuit_too_wide_for_the_device_and_a_device_that_nobody_knows_are_refused(client: Client) -> None:
    wide = "OPENQASM 3.0; include 'stdgates.inc'; qubit[9] q; bit[9] c; h q[0]; c = measure q;"
    wide = client.submit(wide.replace("'", '"'), backend={"type": "ibm_simulator", "name": "fake_lagos"})
    unknown = client.submit(GHZ, backend={"type": "ibm_simulator", "name": "ibm_brisban"})
    client.wait([wide, unknown], timeout=60)
    status = [client.describe(job.job_id())["status"] for job in (wide, unknown)]
    assert [one["phase"] for one in status] == [Phase.FAILED.value] * 2
    assert [one["reason"] for one in status] == ["TooManyQubits", "NoSuchDevice"]
    assert "brisbane" in status[1]["message"]


def test_a_modelled_device_is_found_by_the_name_of_the_real_one(house: House) -> None:
    [chosen] = house.client().estimate(bell(), backend={"type": "ibm_simulator", "name": "ibm_perth"})
    assert chosen["selection"]["chosen"]["device"] == "fake_perth"
