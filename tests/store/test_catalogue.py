"""The catalogue: figures with ages, waits learnt from our own jobs, fidelities, registrations, decisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, func, insert, select, update

from qtasks.store import catalogue, decisions, fidelities, jobs, registered
from qtasks.store.catalogue import Entry, Figures, Listed
from qtasks.store.decisions import Accuracy, Decision
from qtasks.store.fidelities import Kept
from qtasks.store.tables import devices, provider_jobs
from qtasks.store.tables import fidelities as fidelity_table
from qtasks.store.types import moment
from tests.store.acting import Acting

T = TypeVar("T")

FEZ = Listed(name="ibm_fez", type="ibm_quantum", qubits=156, pending_jobs=4)
LAGOS = Listed(name="ibm_lagos", type="ibm_quantum", qubits=7, available=False, message="maintenance")
FIGURES = Figures(
    name="ibm_fez",
    capabilities={"name": "ibm_fez", "qubits": 156},
    qubits=156,
    mean_error=0.004,
    errors={"two": 0.003},
    calibration="c1",
    target={"qubits": 156, "gates": {}},
)
KEPT = Kept(device="ibm_fez", calibration="c1", fidelity=0.9, duration=1e-6, depth=12, two_qubit_gates=3)


@dataclass(frozen=True)
class Catalogue:
    """One verb, one transaction."""

    acting: Acting

    def do(self, what: Callable[[Connection], T]) -> T:
        with self.acting.store.begin() as tx:
            return what(tx)

    def list(self, *listed: Listed, account: str = "lab") -> None:
        self.do(lambda tx: catalogue.keep_listing(tx, account, listed))

    def entries(self, *accounts: str, kept: catalogue.Kept | None = None) -> dict[str, Entry]:
        found = self.do(lambda tx: catalogue.of_accounts(tx, accounts or ("lab",), kept))
        return {entry.name: entry for entry in found}

    def ran(
        self, *waits: float, device: str = "ibm_fez", session: str | None = None, estimate: float | None = None
    ) -> None:
        """Jobs that were submitted some seconds ago, and waited for so long."""
        for wait in waits:
            job_id = self.acting.submitted()
            row = {
                "job_id": job_id,
                "attempt": 1,
                "account": "lab",
                "device": device,
                "tag": job_id,
                "state": "done",
                "settled": True,
                "session": session,
                "compiled": {},
            }
            times = {"intended_at": -1000.0, "tried_at": -1000.0, "submitted_at": -1000.0}
            times |= {"running_at": wait - 1000.0, "finished_at": wait - 999.0}
            values = row | {name: moment(seconds) for name, seconds in times.items()}
            self.do(lambda tx, values=values: tx.execute(insert(provider_jobs).values(**values)))  # type: ignore[misc]
            if estimate is not None:
                decision = Decision(job_id, 1, "default", {"reason": "x"}, "lab", device, estimate)
                self.do(lambda tx, decision=decision: decisions.keep(tx, decision))  # type: ignore[misc]
                self.do(
                    lambda tx, job_id=job_id: tx.execute(  # type: ignore[misc]
                        update(decisions.decisions)
                        .where(decisions.decisions.c.job_id == job_id)
                        .values(at=moment(-1000.0))
                    )
                )


@pytest.fixture
def known(acting: Acting) -> Catalogue:
    return Catalogue(acting)


def test_what_a_provider_lists_is_there_with_its_age_and_what_it_lists_no_more_is_gone(known: Catalogue) -> None:
    known.list(FEZ, LAGOS)
    found = known.entries()
    now = known.do(catalogue.now)
    assert list(found) == ["ibm_fez", "ibm_lagos"]
    assert (found["ibm_fez"].pending_jobs, found["ibm_fez"].available) == (4, True)
    assert (found["ibm_lagos"].available, found["ibm_lagos"].message) == (False, "maintenance")
    queue_at = found["ibm_fez"].queue_at
    assert queue_at is not None
    assert abs(now - queue_at) < timedelta(seconds=30)
    assert found["ibm_fez"].refreshed_at is None
    known.list(replace(FEZ, pending_jobs=9))
    assert {name: entry.pending_jobs for name, entry in known.entries().items()} == {"ibm_fez": 9}


def test_accounts_have_devices_of_their_own(known: Catalogue) -> None:
    known.list(FEZ)
    known.list(LAGOS, account="other")
    assert list(known.entries()) == ["ibm_fez"]
    assert list(known.entries("lab", "other")) == ["ibm_fez", "ibm_lagos"]
    known.do(lambda tx: catalogue.forget(tx, "lab"))
    assert list(known.entries("lab", "other")) == ["ibm_lagos"]


def test_a_new_listing_leaves_the_figures_of_a_device_alone(known: Catalogue) -> None:
    known.list(FEZ)
    known.do(lambda tx: catalogue.keep_figures(tx, "lab", FIGURES))
    known.list(replace(FEZ, qubits=None, pending_jobs=0))
    entry = known.entries()["ibm_fez"]
    assert (entry.mean_error, entry.errors, entry.calibration) == (0.004, {"two": 0.003}, "c1")
    assert (entry.qubits, entry.pending_jobs) == (156, 0)
    assert entry.refreshed_at is not None
    assert known.do(lambda tx: catalogue.target(tx, "lab", "ibm_fez")) == {"qubits": 156, "gates": {}}
    assert known.do(lambda tx: catalogue.target(tx, "lab", "ibm_lagos")) is None


def test_a_queue_asked_for_singly_changes_that_device_alone(known: Catalogue) -> None:
    known.list(FEZ, LAGOS)
    known.do(lambda tx: catalogue.keep_queue(tx, "lab", replace(LAGOS, available=True, pending_jobs=2, message="")))
    found = known.entries()
    assert (found["ibm_lagos"].available, found["ibm_lagos"].pending_jobs) == (True, 2)
    assert found["ibm_fez"].pending_jobs == 4


def test_what_changes_seldom_is_read_once_and_again_when_it_changed(known: Catalogue) -> None:
    known.list(FEZ)
    known.do(lambda tx: catalogue.keep_figures(tx, "lab", FIGURES))
    kept: catalogue.Kept = {}
    first = known.entries(kept=kept)["ibm_fez"]
    again = known.entries(kept=kept)["ibm_fez"]
    assert again == first
    assert again.capabilities is first.capabilities
    known.do(lambda tx: catalogue.keep_figures(tx, "lab", replace(FIGURES, errors={"two": 0.1})))
    assert known.entries(kept=kept)["ibm_fez"].errors == {"two": 0.1}
    assert len(kept) == 1


def test_waits_are_learnt_from_our_own_latest_jobs(known: Catalogue) -> None:
    known.list(FEZ, LAGOS)
    known.ran(10.0, 30.0, 500.0)
    known.ran(1.0, session="s1")
    known.do(lambda tx: catalogue.learn_waits(tx, "lab"))
    found = known.entries()
    assert found["ibm_fez"].learned_wait == pytest.approx(30.0, abs=0.01)
    assert found["ibm_fez"].learned_from == 3
    assert (found["ibm_lagos"].learned_wait, found["ibm_lagos"].learned_from) == (None, 0)


def test_waits_that_are_too_old_are_unlearnt(known: Catalogue) -> None:
    known.list(FEZ)
    known.ran(10.0)
    known.do(lambda tx: catalogue.learn_waits(tx, "lab"))
    known.do(lambda tx: tx.execute(update(provider_jobs).values(finished_at=moment(-86_400.0 * 40))))
    known.do(lambda tx: catalogue.learn_waits(tx, "lab"))
    entry = known.entries()["ibm_fez"]
    assert (entry.learned_wait, entry.learned_from) == (None, 0)


def test_a_fidelity_is_kept_for_a_circuit_its_namespace_its_options_and_the_calibration(known: Catalogue) -> None:
    known.do(lambda tx: fidelities.keep(tx, "chem", "f" * 64, "1;;", [KEPT, replace(KEPT, calibration="c2")]))
    known.do(lambda tx: fidelities.keep(tx, "chem", "f" * 64, "1;;", [replace(KEPT, fidelity=0.1)]))

    def of(namespace: str, fingerprint: str, options: str) -> Sequence[Kept]:
        return known.do(lambda tx: fidelities.of_circuit(tx, namespace, fingerprint, options))

    assert set(of("chem", "f" * 64, "1;;")) == {KEPT, replace(KEPT, calibration="c2")}
    assert of("other", "f" * 64, "1;;") == []
    assert of("chem", "e" * 64, "1;;") == []
    assert of("chem", "f" * 64, "3;;") == []


def test_old_fidelities_are_forgotten(known: Catalogue) -> None:
    known.do(lambda tx: fidelities.keep(tx, "chem", "f" * 64, "1;;", [KEPT]))
    assert known.do(fidelities.forget_old) == 0
    known.do(lambda tx: tx.execute(update(fidelity_table).values(at=moment(-86_400.0 * 15))))
    assert known.do(fidelities.forget_old) == 1


def test_a_device_is_registered_once_and_changed_when_its_spec_changes(known: Catalogue) -> None:
    resource: dict[str, Any] = {"metadata": {"name": "mine"}, "spec": {"type": "ibm_quantum"}}

    def keep(resource: dict[str, Any], namespace: str = "chem") -> str:
        return known.do(lambda tx: registered.keep(tx, namespace, "mine", resource))

    other = {**resource, "spec": {"type": "aws_braket"}}
    assert [keep(resource), keep(resource), keep(other), keep(other, "bio")] == [
        "created",
        "unchanged",
        "configured",
        "created",
    ]
    (row,) = known.do(lambda tx: registered.walk(tx, "chem"))
    assert (row.name, row.resource) == ("mine", other)
    assert len(known.do(lambda tx: registered.walk(tx, None))) == 2
    assert known.do(lambda tx: registered.remove(tx, "chem", "mine"))
    assert not known.do(lambda tx: registered.remove(tx, "chem", "mine"))


def test_the_latest_decision_about_an_attempt_counts_and_goes_with_its_job(known: Catalogue) -> None:
    job_id = known.acting.submitted()
    first = Decision(job_id, 1, "default", {"reason": "NoCandidate"})
    known.do(lambda tx: decisions.keep(tx, first))
    last = replace(first, device="ibm_fez", account="lab", wait_seconds=5.0, cost_micros=7, selection={"a": 1})
    known.do(lambda tx: decisions.keep(tx, last))
    known.do(lambda tx: decisions.keep(tx, replace(last, attempt=2, device="ibm_lagos")))
    one, two = known.do(lambda tx: decisions.of_job(tx, job_id))
    assert (one.device, one.selection, one.cost_micros) == ("ibm_fez", {"a": 1}, 7)
    assert two.device == "ibm_lagos"
    assert known.do(lambda tx: decisions.latest(tx, [job_id]))[job_id].device == "ibm_lagos"
    known.do(lambda tx: tx.execute(jobs.jobs.delete().where(jobs.jobs.c.id == job_id)))
    assert known.do(lambda tx: decisions.of_job(tx, job_id)) == []


def test_the_accuracy_of_estimates_is_the_median_of_how_far_they_were_off(known: Catalogue) -> None:
    assert known.do(lambda tx: decisions.accuracy(tx, namespace="default")) == Accuracy(0, None, None)
    known.ran(10.0, 40.0, 400.0, estimate=30.0)
    known.ran(5.0)
    found = known.do(lambda tx: decisions.accuracy(tx, namespace="default"))
    assert found.jobs == 3
    assert found.median_error_seconds == pytest.approx(20.0, abs=2)
    assert found.median_bias_seconds == pytest.approx(10.0, abs=2)
    assert known.do(lambda tx: decisions.accuracy(tx, device="ibm_fez", account="lab")).jobs == 3
    assert known.do(lambda tx: decisions.accuracy(tx, device="ibm_lagos")).jobs == 0


def test_names_as_long_as_an_arn_and_figures_of_a_large_device_fit(known: Catalogue) -> None:
    arn = f"arn:aws:braket:eu-north-1::device/qpu/{'x' * 200}"
    known.list(replace(FEZ, name=arn, type="aws_braket"))
    gates = {"cz": [[[one, one + 1], 0.001 * one, 1e-7] for one in range(3000)]}
    known.do(lambda tx: catalogue.keep_figures(tx, "lab", replace(FIGURES, name=arn, target={"gates": gates})))
    assert known.do(lambda tx: catalogue.target(tx, "lab", arn)) == {"gates": gates}
    assert known.do(lambda tx: tx.execute(select(func.count()).select_from(devices)).scalar()) == 1
