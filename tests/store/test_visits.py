"""A visit to an account: kept for as long as it lasts, and no job's trouble is the others'."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import update

from qtasks.backends.protocol import (
    BackendError,
    Device,
    ProviderJob,
    ProviderState,
    ProviderUnavailable,
    RemoteBackend,
)
from qtasks.config import Account
from qtasks.costs.cost import Cost
from qtasks.lifecycle import Phase
from qtasks.notify import Notifier
from qtasks.queue import Publisher
from qtasks.resources import BackendType
from qtasks.settings import Settings
from qtasks.stages.remote.visits import poll
from qtasks.stages.worker import Identity, Worker
from qtasks.store import Store, accounts, budgets, ledger, provider_jobs, tables
from qtasks.store.types import moment
from tests.store.acting import Acting
from tests.store.charging import budget, charge
from tests.support.servers import eventually

pytestmark = pytest.mark.system

LAB = Account(name="lab", provider=BackendType.IBM_QUANTUM, plan="premium")
NOWHERE = "redis://127.0.0.1:1/0"
RESOURCE = {
    "spec": {
        "backend": {"type": "ibm_quantum"},
        "circuit": {"source": "inline", "code": "…"},
        "retry_policy": {"max_retries": 0},
    }
}


@dataclass
class Provider:
    """The other side: what a provider says of its jobs, and what it was asked."""

    states: dict[str, ProviderState] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    refuses: Callable[[str], None] = lambda what: None
    before_answer: Callable[[], None] = lambda: None
    name = "ibm_quantum"

    def devices(self) -> list[Device]:
        return []

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        self.refuses(what)

    def statuses(self, ids: Collection[str], *, since: datetime) -> dict[str, ProviderJob]:
        self._ask("statuses")
        self.before_answer()
        return {one: ProviderJob(one, self.states.get(one, ProviderState.QUEUED)) for one in ids}

    def find(self, tag: str, *, since: datetime) -> list[ProviderJob]:
        self._ask(f"find {tag}")
        return []

    def cancel(self, provider_job_id: str) -> None:
        self._ask(f"cancel {provider_job_id}")

    def allowance(self) -> None:
        self._ask("allowance")

    def actual_cost(self, job: ProviderJob, shots: int) -> Cost:
        """A dollar a second, where seconds are known."""
        if job.quantum_seconds is None:
            return Cost(None)
        return Cost(Decimal(str(round(job.quantum_seconds, 3))), job.quantum_seconds, "$1 a second (a list, 2026-11)")


@dataclass
class Scene:
    acting: Acting
    worker: Worker
    provider: Provider

    def at_provider(self, name: str, **changes: Any) -> str:
        """A job that runs at the provider under this id."""
        claim = self.acting.running()
        (job_id,) = claim.ids
        with self.acting.store.begin() as tx:
            tx.execute(update(tables.inputs).where(tables.inputs.c.job_id == job_id).values(resource=RESOURCE))
            about = {"account": "lab", "device": "ibm_fez", "compiled": {}}
            assert provider_jobs.intend(tx, claim, job_id, 1, about)
            provider_jobs.submitted(tx, job_id, 1, name)
            assert provider_jobs.leave_to_provider(tx, claim, job_id)
            if changes:
                provider_jobs.progress(tx, job_id, 1, **changes)
        return job_id

    def visit(self) -> None:
        with self.acting.store.begin() as tx:
            accounts.wake(tx, ["lab"])
        assert poll(self.worker) == ["lab"]

    @property
    def row(self) -> Any:
        with self.acting.store.read() as tx:
            return accounts.get(tx, "lab")

    def of(self, job_id: str) -> Any:
        with self.acting.store.read() as tx:
            return provider_jobs.of(tx, job_id, 1)


@pytest.fixture
def scene(store: Store, acting: Acting, tmp_path: Path) -> Scene:
    config = tmp_path / "config.yaml"
    config.write_text("accounts: [{name: lab, provider: ibm_quantum, plan: premium}]")
    settings = Settings(home=tmp_path, config=config, broker_url=NOWHERE, lease_seconds=1.2, heartbeat_seconds=0.3)
    with store.begin() as tx:
        accounts.ensure(tx, "lab", "ibm_quantum")
    nobody = cast(Any, None)
    identity = Identity("w", (), 0, 1, tmp_path)
    worker = Worker(settings, identity, store, nobody, Publisher(NOWHERE), Notifier(NOWHERE), nobody)
    provider = Provider()
    worker._providers[LAB] = cast(RemoteBackend, provider)
    return Scene(acting, worker, provider)


def test_a_visit_that_takes_longer_than_its_lease_is_nobody_else_s(scene: Scene) -> None:
    scene.at_provider("p-1")
    others: list[Any] = []

    def slow() -> None:
        first = scene.row.lease_until

        def past_the_lease() -> bool:
            with scene.acting.store.begin() as tx:
                others.append(accounts.take_due(tx, owner="other/1", lease_seconds=30))
            return bool(scene.row.now > first)

        eventually(past_the_lease, what="the first lease running out")

    scene.provider.before_answer = slow
    scene.visit()
    assert len(others) > 1 and set(others) == {None}
    assert (scene.row.owner, scene.row.failures) == (None, 0)
    assert not any(thread.name.startswith("visit-") for thread in threading.enumerate())


def test_a_job_whose_cancellation_the_provider_refuses_does_not_keep_the_others_from_being_collected(
    scene: Scene,
) -> None:
    cancelled, failed = scene.at_provider("p-1"), scene.at_provider("p-2")
    scene.acting.cancel(cancelled)
    scene.provider.states["p-2"] = ProviderState.FAILED

    def refuses(what: str) -> None:
        if what == "cancel p-1":
            raise BackendError("You are not authorized.", reason="ProviderForbidden")

    scene.provider.refuses = refuses
    scene.visit()
    assert scene.acting.phase(failed) == Phase.FAILED
    assert (scene.of(failed).settled, scene.of(cancelled).settled) == (True, False)
    scene.visit()
    assert scene.provider.asked.count("cancel p-1") == 2
    scene.provider.states["p-1"] = ProviderState.DONE
    scene.visit()
    assert scene.of(cancelled).settled and scene.acting.phase(cancelled) == Phase.CANCELLED


def test_a_job_that_cannot_be_ended_does_not_keep_those_after_it_waiting(scene: Scene) -> None:
    first, second = scene.at_provider("p-1", doubtful=True), scene.at_provider("p-2")
    scene.provider.states = {"p-1": ProviderState.FAILED, "p-2": ProviderState.FAILED}

    def refuses(what: str) -> None:
        if what.startswith("find"):
            raise RuntimeError("Nobody foresaw this.")

    scene.provider.refuses = refuses
    scene.visit()
    assert (scene.acting.phase(first), scene.acting.phase(second)) == (Phase.RUNNING, Phase.FAILED)
    scene.provider.refuses = lambda what: None
    scene.visit()
    assert scene.acting.phase(first) == Phase.FAILED


def test_a_provider_that_does_not_answer_ends_the_visit_at_once(scene: Scene) -> None:
    for number in range(3):
        scene.acting.cancel(scene.at_provider(f"p-{number}"))

    def refuses(what: str) -> None:
        raise ProviderUnavailable("No answer.")

    scene.provider.refuses = refuses
    scene.visit()
    assert len(scene.provider.asked) == 1
    assert (scene.row.failures, scene.row.reason, scene.row.owner) == (1, "ProviderUnavailable", None)


def test_where_a_job_stands_is_noted_and_when_it_began_is_noted_once(scene: Scene) -> None:
    running, waiting = scene.at_provider("p-1"), scene.at_provider("p-2")
    scene.provider.states["p-1"] = ProviderState.RUNNING
    scene.visit()
    assert (scene.of(running).state, scene.of(waiting).state) == ("running", "queued")
    began = scene.of(running).running_at
    assert began is not None and scene.of(waiting).running_at is None
    scene.visit()
    assert scene.of(running).running_at == began


def test_an_intent_whose_job_has_ended_is_looked_up_until_it_can_be_taken_for_never_submitted(scene: Scene) -> None:
    claim = scene.acting.running()
    (job_id,) = claim.ids
    with scene.acting.store.begin() as tx:
        about = {"account": "lab", "device": "ibm_fez", "compiled": {}}
        assert provider_jobs.intend(tx, claim, job_id, 1, about)
    scene.visit()
    # Whoever holds the job is about to submit it.
    assert not any(what.startswith("find") for what in scene.provider.asked)
    scene.acting.cancel(job_id)
    scene.visit()
    assert f"find qtasks-{job_id}-1" in scene.provider.asked
    assert not scene.of(job_id).settled
    with scene.acting.store.begin() as tx:
        tx.execute(update(tables.provider_jobs).values(intended_at=moment(-3600)))
    scene.visit()
    assert (scene.of(job_id).settled, scene.of(job_id).state) == (True, provider_jobs.ABANDONED)


@pytest.mark.parametrize(("reserved", "ended"), [(30, True), (90, False)])
def test_a_job_that_has_cost_more_than_its_budget_has_for_it_is_ended_and_cancelled_there(
    scene: Scene, reserved: float, ended: bool
) -> None:
    with scene.acting.store.begin() as tx:
        budgets.apply(tx, budget("team", limit="$100"), "default", "team")
    started = datetime.now(UTC) - timedelta(seconds=60)
    job_id = scene.at_provider("p-1", state="running", running_at=started)
    scene.provider.states["p-1"] = ProviderState.RUNNING
    with scene.acting.store.begin() as tx:
        assert ledger.reserve(tx, charge(job_id, reserved)) is None
    scene.visit()
    row = scene.acting.row(job_id)
    assert (row.phase, row.reason) == (("Failed", "BudgetExceeded") if ended else ("Running", None))
    assert ("cancel p-1" in scene.provider.asked) is ended
    if ended:
        assert "$30.00" in row.message
