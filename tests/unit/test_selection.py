"""Which device a job runs on, and why not the others."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from qtasks.backends.catalogue import as_data, from_data
from qtasks.backends.compatibility import Capabilities, local_simulator
from qtasks.backends.modelled import simulator_entry
from qtasks.circuits.analysis import analyse
from qtasks.costs.prices import PriceList
from qtasks.resources import BackendType, JobSpec
from qtasks.resources.backend import PRESETS, BackendSpec, Preset, Requirements, Weights
from qtasks.scheduling import explanation
from qtasks.scheduling.candidates import AccountFacts, JobFacts, Simulators, candidates, job_facts, needs_choice
from qtasks.scheduling.fidelity import Basis, Fidelity
from qtasks.scheduling.selection import Key, Row, Selection, select
from qtasks.scheduling.settling import settle
from qtasks.scheduling.waits import Source, wait_of
from qtasks.store.catalogue import Entry
from tests.support.circuits import bell

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
IBM, BRAKET = BackendType.IBM_QUANTUM, BackendType.AWS_BRAKET
SV1 = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"
GARNET = "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"
LAB = AccountFacts("lab", IBM, "pay-as-you-go")
AWS = AccountFacts("aws", BRAKET)
ANALYSIS = analyse(bell())


def able(qubits: int = 7, **more: Any) -> dict[str, Any]:
    return as_data(Capabilities("device", qubits=qubits, basis_gates=frozenset(("cx", "sx", "rz")), **more))


def entry(name: str = "ibm_one", account: str = "lab", **more: Any) -> Entry:
    errors = {"one": 0.0002, "two": 0.008, "readout": 0.015}
    values: dict[str, Any] = {
        "type": "aws_braket" if name.startswith("arn") else "ibm_quantum",
        "qubits": 7,
        "pending_jobs": 0,
        "queue_at": NOW - timedelta(minutes=1),
        "refreshed_at": NOW - timedelta(minutes=30),
        "capabilities": able(),
        "mean_error": 0.008,
        "errors": errors,
        "calibration": "c1",
    }
    return Entry(account=account, name=name, **{**values, **more})


def facts(**changes: Any) -> JobFacts:
    asked = JobFacts("default", "f" * 64, ANALYSIS, (IBM,), simulators=Simulators.NEVER)
    return replace(asked, **changes)


def chosen(job: JobFacts, *entries: Entry, accounts: tuple[AccountFacts, ...] = (LAB,), **more: Any) -> Selection:
    own = [simulator_entry(method="automatic", memory=more.pop("memory", None))]
    options = {name: more.pop(name) for name in ("registered",) if name in more}
    return select(job, candidates(job, accounts, entries, own=own, **options), now=NOW, **more)


def device(selection: Selection) -> str | None:
    return None if selection.chosen is None else selection.chosen.device


def refusals(selection: Selection) -> dict[str, str]:
    return {row.device: row.refusal.reason for row in selection.rows if row.refusal is not None}


def test_the_better_device_is_chosen_where_nothing_else_differs() -> None:
    worse = entry("ibm_two", errors={"one": 0.001, "two": 0.03, "readout": 0.05})
    assert device(chosen(facts(), worse, entry())) == "ibm_one"


def test_weights_decide_between_a_short_queue_and_a_good_device() -> None:
    good = entry("ibm_good", pending_jobs=500)
    idle = entry("ibm_idle", errors={"one": 0.001, "two": 0.05, "readout": 0.08})
    assert device(chosen(facts(weights=PRESETS[Preset.PERFORMANCE_OPTIMIZED]), good, idle)) == "ibm_good"
    assert device(chosen(facts(weights=Weights(queue_time=1)), good, idle)) == "ibm_idle"


def test_the_cheaper_account_is_chosen_for_its_price() -> None:
    flex, payg = AccountFacts("flex", IBM, "flex"), AccountFacts("payg", IBM, "pay-as-you-go")
    found = chosen(facts(), entry(account="payg"), entry(account="flex"), accounts=(payg, flex))
    assert found.chosen is not None
    assert found.chosen.account == "flex"
    assert [row.estimate.cost for row in found.rows] == sorted(row.estimate.cost or 0 for row in found.rows)


def test_of_equals_the_account_with_most_left_is_chosen() -> None:
    accounts = (AccountFacts("a", IBM, "open", left_seconds=10.0), AccountFacts("b", IBM, "open", left_seconds=400.0))
    found = chosen(facts(), entry(account="a"), entry(account="b"), accounts=accounts)
    assert found.chosen is not None
    assert found.chosen.account == "b"


def test_an_account_without_allowance_lets_the_job_wait_until_it_frees() -> None:
    spent = AccountFacts("lab", IBM, "open", left_seconds=0.0, frees_seconds=7200.0)
    (row,) = chosen(facts(), entry(), accounts=(spent,)).rows
    assert row.wait.seconds == 7200
    assert "the allowance of lab is used up for 2 h" in row.notes


@pytest.mark.parametrize(
    ("change", "job", "reason", "heals"),
    [
        ({"capabilities": able(1), "qubits": 1}, {}, "TooManyQubits", False),
        ({"capabilities": able(max_shots=100)}, {}, "TooManyShots", False),
        ({"available": False, "message": "maintenance"}, {}, "OutOfService", True),
        ({"capabilities": None}, {}, "NotKnownYet", True),
        ({"problem": "Aquila runs no circuits."}, {}, "NoCircuits", False),
        ({"simulator": True}, {}, "IsSimulator", False),
        ({}, {"requirements": Requirements(min_qubits=20)}, "TooFewQubits", False),
        ({}, {"requirements": Requirements(max_error=0.001)}, "ErrorTooLarge", False),
        ({"mean_error": None}, {"requirements": Requirements(max_error=0.1)}, "ErrorUnknown", False),
        ({"pending_jobs": 99}, {"requirements": Requirements(max_queue_time=60)}, "QueueTooLong", True),
    ],
)
def test_a_device_that_cannot_be_used_keeps_its_reason(
    change: dict[str, Any], job: dict[str, Any], reason: str, heals: bool
) -> None:
    found = chosen(facts(**job), entry(**change))
    assert found.chosen is None
    assert refusals(found) == {"ibm_one": reason}
    assert (found.reason, found.heals) == (reason, heals)
    assert "ibm_one: " in found.message
    assert chosen(
        facts(**job), entry(**change), entry("ibm_two", qubits=30, capabilities=able(30), mean_error=0.0005)
    ).chosen


def test_a_circuit_that_cannot_be_compiled_there_goes_elsewhere() -> None:
    problem = Fidelity(0.0, Basis.COMPILED, problem="The circuit cannot be compiled for ibm_one: no path.")
    found = chosen(facts(), entry(), entry("ibm_two"), fidelities={("ibm_one", "c1"): problem})
    assert device(found) == "ibm_two"
    assert refusals(found) == {"ibm_one": "TranspilerError"}


def test_what_the_job_names_it_gets_whatever_its_requirements() -> None:
    job = facts(name="ibm_one", requirements=Requirements(min_qubits=100))
    found = chosen(job, entry(available=False), entry("ibm_two", qubits=127, capabilities=able(127)))
    assert device(found) == "ibm_one"
    assert len(found.rows) == 1


def test_a_named_device_that_the_catalogue_does_not_know_is_taken_at_its_word() -> None:
    found = chosen(facts(name="ibm_new"), entry())
    assert device(found) == "ibm_new"
    assert found.rows[0].notes == ("the catalogue does not have it", "nobody knows its wait", "nobody knows its errors")
    assert found.rows[0].scores is not None
    assert found.rows[0].scores.queue_time == 0.5


def test_a_named_device_that_is_too_small_is_refused() -> None:
    found = chosen(facts(name="ibm_one"), entry(capabilities=able(1)))
    assert (device(found), found.reason, found.heals) == (None, "TooManyQubits", False)


def test_a_stale_figure_is_used_and_said_to_be_stale() -> None:
    down = entry(available=False, queue_at=NOW - timedelta(hours=5))
    (row,) = chosen(facts(), down).rows
    assert row.refusal is None
    assert row.notes[0] == "stale: out of service and its queue as of 5 h ago"
    fresh = chosen(facts(), down, entry("ibm_two")).chosen
    assert fresh is not None
    assert fresh.device == "ibm_two"


def test_without_a_selection_simulators_come_first_and_nobody_is_billed_for_a_qpu() -> None:
    accounts, job = (AWS,), facts(types=(BRAKET,), simulators=Simulators.FIRST)
    sv1 = entry(SV1, "aws", simulator=True, errors=None, calibration=None)
    garnet = entry(GARNET, "aws")
    assert device(chosen(job, garnet, sv1, accounts=accounts)) == SV1
    wide = replace(sv1, capabilities=able(1))
    assert device(chosen(job, garnet, wide, accounts=accounts)) == GARNET


def test_simulators_stand_in_when_no_device_qualifies_ours_before_those_that_cost_money() -> None:
    accounts, job = (AWS,), facts(types=(BRAKET,), simulators=Simulators.LAST)
    sv1 = entry(SV1, "aws", simulator=True, errors=None, calibration=None)
    garnet, down = entry(GARNET, "aws"), entry(GARNET, "aws", available=False)
    assert device(chosen(job, garnet, sv1, accounts=accounts)) == GARNET
    fallback = chosen(job, down, sv1, accounts=accounts)
    assert (device(fallback), fallback.reason) == ("local_simulator", "SimulatorFallback")
    assert device(chosen(job, down, sv1, accounts=accounts, memory=1)) == SV1
    assert chosen(replace(job, simulators=Simulators.NEVER), down, sv1, accounts=accounts).chosen is None


def test_a_fallback_needs_no_device_at_all() -> None:
    assert device(chosen(facts(simulators=Simulators.LAST))) == "local_simulator"
    nothing = chosen(facts())
    assert (nothing.chosen, nothing.reason, nothing.heals) == (None, "NoCandidate", True)


def test_under_a_budget_a_device_without_a_known_price_is_refused() -> None:
    free = chosen(facts(), entry(), prices=PriceList())
    assert device(free) == "ibm_one"
    assert free.rows[0].scores is not None
    assert free.rows[0].scores.cost == 0
    assert refusals(chosen(facts(budgeted=True), entry(), prices=PriceList())) == {"ibm_one": "PriceUnknown"}


def test_estimates_have_an_upper_bound_that_is_the_jobs_own_limit_where_it_has_one() -> None:
    (row,) = chosen(facts(), entry()).rows
    assert row.estimate.cost is not None
    assert row.estimate.upper_bound_cost is not None
    assert row.estimate.cost < row.estimate.upper_bound_cost
    assert row.estimate.quantum_seconds == pytest.approx(2 + 1024 * 250e-6, rel=0.05)
    (limited,) = chosen(facts(max_execution_seconds=5.0), entry()).rows
    assert (limited.estimate.upper_seconds, limited.estimate.upper_bound_cost) == (5.0, Decimal("8.000000"))
    (garnet,) = chosen(facts(types=(BRAKET,)), entry(GARNET, "aws"), accounts=(AWS,)).rows
    assert garnet.estimate.cost == garnet.estimate.upper_bound_cost == Decimal("0.3") + 1024 * Decimal("0.00145")


def test_a_device_registered_by_hand_is_what_it_says_and_can_be_named_by_its_resource() -> None:
    spec = BackendSpec(type="ibm_quantum", name="ibm_secret", capabilities={"numQubits": 5, "meanError": 0.02})
    by_hand = [("mine", spec, {"lab"})]
    found = chosen(facts(), registered=by_hand)
    assert device(found) == "ibm_secret"
    assert found.rows[0].candidate.registered == "mine"
    assert found.rows[0].fidelity.basis is Basis.ESTIMATED
    assert device(chosen(facts(name="mine"), entry(), registered=by_hand)) == "ibm_secret"
    small = BackendSpec(type="ibm_quantum", name="ibm_one", capabilities={"numQubits": 1})
    assert refusals(chosen(facts(), entry(), registered=[("one", small, {"lab"})])) == {"ibm_one": "TooManyQubits"}
    assert chosen(facts(), registered=[("mine", spec, {"other"})]).rows == ()


def test_the_wait_is_the_providers_then_our_own_then_the_queues() -> None:
    known = entry(wait_seconds=5.0, learned_wait=50.0, learned_from=9, pending_jobs=7)
    assert (wait_of(known).seconds, wait_of(known).source) == (5.0, Source.PROVIDER)
    known = replace(known, wait_seconds=None)
    assert (wait_of(known).seconds, wait_of(known).source, wait_of(known).jobs) == (50.0, Source.HISTORY, 9)
    known = replace(known, learned_from=2)
    assert (wait_of(known).seconds, wait_of(known).source) == (70.0, Source.QUEUE)
    assert wait_of(replace(known, pending_jobs=None)).source is Source.UNKNOWN


def test_the_best_candidate_is_compiled_for_until_the_best_one_has_been() -> None:
    entries = [entry(f"ibm_{number}", errors={"two": 0.01 + number / 1000}) for number in range(20)]
    job, known, asked = facts(), dict[Key, Fidelity](), list[str]()
    found = candidates(job, (LAB,), entries)
    real = {f"ibm_{number}": 0.97 if number == 3 else 0.90 for number in range(20)}

    def exact(row: Row) -> Fidelity:
        asked.append(row.device)
        return Fidelity(real[row.device], Basis.COMPILED)

    selection = settle(lambda hopeful: select(job, found, now=NOW, fidelities=known, hopeful=hopeful), known, exact)
    assert device(selection) == "ibm_3"
    assert asked[0] == "ibm_0"
    assert len(asked) == len(set(asked)) <= 20


def test_a_guess_does_not_win_by_being_one() -> None:
    entries = [entry(f"ibm_{number}") for number in range(3)]
    job, known = facts(), dict[Key, Fidelity]()
    found = candidates(job, (LAB,), entries)

    def exact(row: Row) -> Fidelity | None:
        return Fidelity(0.5, Basis.COMPILED) if not known else None

    selection = settle(lambda hopeful: select(job, found, now=NOW, fidelities=known, hopeful=hopeful), known, exact)
    assert {round(row.fidelity.value or 0, 3) for row in selection.rows} == {0.5}


def test_the_choice_is_the_same_whatever_the_order_of_candidates() -> None:
    entries = [entry(f"ibm_{number}", pending_jobs=number % 3) for number in range(6)]
    job = facts()
    forwards, backwards = chosen(job, *entries), chosen(job, *reversed(entries))
    assert [row.device for row in forwards.rows] == [row.device for row in backwards.rows]


def test_an_explanation_is_plain_json_and_a_table() -> None:
    found = chosen(facts(), entry(), entry("ibm_two", available=False), entry("ibm_three", pending_jobs=42))
    data = explanation.as_data(found)
    assert json.loads(json.dumps(data)) == data
    assert data["chosen"] == {"device": "ibm_one", "account": "lab"}
    assert [one["device"] for one in data["candidates"]] == ["ibm_one", "ibm_three", "ibm_two"]
    assert data["candidates"][2]["whyNot"] == {"reason": "OutOfService", "message": "It is not in service."}
    rows = explanation.table(data)
    assert {len(row) for row in rows} == {len(explanation.COLUMNS)}
    assert rows[0][0] == "* ibm_one"
    assert rows[1][8] == "7m"
    assert rows[2][-1] == "It is not in service."


def spec(**fields: Any) -> JobSpec:
    return JobSpec.model_validate({"circuit": {"code": "…", "source": "inline"}, **fields})


def test_a_job_that_asks_for_nothing_has_nothing_chosen_for_it() -> None:
    assert not needs_choice(spec())
    assert needs_choice(spec(backend={"type": "ibm_quantum"}))
    assert needs_choice(spec(backendSelection={"preset": "balanced"}))


def test_a_selection_without_a_type_means_every_provider_that_there_is_an_account_for() -> None:
    def types(with_accounts: list[BackendType], **fields: Any) -> tuple[BackendType, ...]:
        job = spec(**fields)
        return job_facts(
            job, namespace="default", fingerprint="f", analysis=ANALYSIS, with_accounts=with_accounts
        ).types

    wish = {"backendSelection": {"fallbackToSimulator": True}}
    assert types([IBM, BRAKET], **wish) == (IBM, BRAKET)
    assert types([IBM], **wish, backend={"type": "aws_braket"}) == (BRAKET,)
    assert types([], **wish) == (BackendType.LOCAL_SIMULATOR,)
    assert types([IBM]) == (BackendType.LOCAL_SIMULATOR,)


def test_facts_carry_what_the_spec_asks_for() -> None:
    job = spec(
        backend={"type": "ibm_quantum", "name": "ibm_fez"},
        backendSelection={"preset": "cost-optimized", "requirements": {"minQubits": 5}},
        execution={"shots": 99, "optimizationLevel": 3, "initialLayout": [2, 1], "maxExecutionTime": "5s"},
    )
    found = job_facts(job, namespace="chem", fingerprint="f", analysis=ANALYSIS)
    assert (found.name, found.shots, found.simulators) == ("ibm_fez", 99, Simulators.NEVER)
    assert found.weights == PRESETS[Preset.COST_OPTIMIZED]
    assert found.requirements.min_qubits == 5
    assert (found.compilation.level, found.compilation.layout) == (3, (2, 1))
    assert found.max_execution_seconds == 5


def test_capabilities_come_back_from_plain_json_as_they_were() -> None:
    for made in (local_simulator(), Capabilities("x", qubits=3, not_classical=frozenset(("stretch",)))):
        assert from_data(json.loads(json.dumps(as_data(made)))) == made
