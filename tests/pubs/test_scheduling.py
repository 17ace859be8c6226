"""Choosing and estimating for jobs of several circuits: every run counts, and who cannot take them says why."""

from __future__ import annotations

from decimal import Decimal

import pytest

from qtasks.backends.compatibility import Capabilities, together
from qtasks.circuits.pubs import Extent
from qtasks.resources import BackendType, JobSpec
from qtasks.scheduling.candidates import job_facts
from qtasks.scheduling.estimates import OVERHEAD_SECONDS
from tests.unit.test_selection import ANALYSIS, AWS, BRAKET, GARNET, able, chosen, entry, facts, refusals

SEVERAL = {"runs": 6, "shots": 1000, "all_shots": 6000}


def test_quantum_time_and_its_bound_grow_with_all_runs() -> None:
    one = chosen(facts(shots=1000), entry()).rows[0].estimate
    six = chosen(facts(**SEVERAL), entry()).rows[0].estimate
    assert one.quantum_seconds is not None and six.quantum_seconds is not None and six.upper_seconds is not None
    assert six.quantum_seconds - OVERHEAD_SECONDS == pytest.approx(6 * (one.quantum_seconds - OVERHEAD_SECONDS))
    assert six.upper_seconds > six.quantum_seconds
    assert six.cost is not None and one.cost is not None and six.cost > one.cost


def test_simulation_time_grows_with_all_runs() -> None:
    one, six = (
        chosen(facts(types=(BackendType.LOCAL_SIMULATOR,), **more), simulator_rate=Decimal(1000)).rows[0].estimate.cost
        for more in ({"shots": 1000}, SEVERAL)
    )
    assert one and six and float(six) == pytest.approx(6 * float(one), rel=1e-3)


def test_a_job_s_extent_is_among_its_facts() -> None:
    spec = JobSpec.model_validate({"circuit": {"source": "inline", "code": "x"}})
    found = job_facts(spec, namespace="n", fingerprint="f", analysis=ANALYSIS, extent=Extent(3, 70, 50))
    assert (found.runs, found.shots, found.total_shots) == (3, 50, 70)
    plain = job_facts(spec, namespace="n", fingerprint="f", analysis=ANALYSIS)
    assert (plain.runs, plain.shots, plain.total_shots) == (1, 1024, 1024)


def test_a_device_that_takes_one_circuit_a_task_is_refused_for_several() -> None:
    braket = entry(GARNET, "aws", capabilities=able(max_experiments=1))
    selection = chosen(facts(types=(BRAKET,), **SEVERAL), braket, accounts=(AWS,))
    assert refusals(selection) == {GARNET: "OneCircuitPerTask"}
    assert "job of its own" in selection.message
    assert not refusals(chosen(facts(types=(BRAKET,)), braket, accounts=(AWS,)))


def test_shots_that_differ_are_refused_where_a_job_has_one_number_of_them() -> None:
    ibm = entry(capabilities=able(shots_alike=True))
    assert refusals(chosen(facts(runs=2, shots=20, all_shots=30), ibm)) == {"ibm_one": "ShotsDiffer"}
    assert not refusals(chosen(facts(**SEVERAL), ibm))


def test_limits_of_backend_run_are_none_of_a_primitive_s() -> None:
    assert not together(1000, Capabilities("device", max_experiments=300), alike=True)
