"""Selection: which device a job runs on and under which account, and that it may be paid for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from qtasks.config import REMOTE, Account
from qtasks.costs.simulator import micros
from qtasks.resources import BackendType
from qtasks.scheduling.candidates import AccountFacts, JobFacts, job_facts
from qtasks.scheduling.choosing import decision_of
from qtasks.scheduling.registrations import Registration, eligible, registrations, with_accounts
from qtasks.scheduling.selection import Row, Selection
from qtasks.stages.batch import Item, circuit_of, prepared_of
from qtasks.stages.remote.sessions import account_in_session, with_sessions
from qtasks.stages.remote.turns import standing_of
from qtasks.stages.worker import Worker
from qtasks.store import accounts, budgets, decisions, ledger, provider_jobs, registered
from qtasks.store.ledger import Charge

_TRIED = 5
"""Candidates that are held against the budgets, the best first."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What was found for a job."""

    selection: Selection
    accounts: tuple[Account, ...]
    """Those it may run under; empty where it runs on simulators of our own."""
    row: Row | None
    """The candidate that it is to run on; None where none qualifies."""
    charge: Charge | None
    """What it may cost there."""
    budgeted: bool = False
    """Whether a budget applies to the job."""

    @property
    def account(self) -> Account | None:
        name = None if self.row is None else self.row.account
        return next((account for account in self.accounts if account.name == name), None)


def wants_choice(worker: Worker, item: Item) -> bool:
    """Whether there is anything to choose, or to pay: the simulators of our own are free unless they have a rate."""
    spec = item.spec
    return spec.backend.type in REMOTE or spec.backend_selection is not None or worker.settings.simulator_rate > 0


def choose(worker: Worker, item: Item, *, memory: int | None) -> Choice:
    """Choose for a job; `memory`: the most that a worker can give to a simulation, in bytes. Raises as
    `backends.accounts.accounts_for` does."""
    spec, namespace, config = item.spec, item.job.namespace, worker.config
    embedded = worker.settings.embedded
    with worker.store.read() as tx:
        resources = [row.resource for row in registered.walk(tx, namespace)]
    by_hand = registrations(resources, config, namespace=namespace, embedded=embedded)
    found = eligible(config, spec, by_hand, namespace=namespace, embedded=embedded)
    if spec.session is not None and spec.backend.type is BackendType.IBM_QUANTUM:
        able = with_sessions(found)
        found = [account_in_session(worker, item, lambda: most_left(worker, able))]
    with worker.store.read() as tx:
        covered = budgets.may_cover(tx, [namespace])
        labels = provider_jobs.labels_of(tx, item.job.id)
        stand = [_facts_of(tx, account) for account in found]
    center = spec.budget.cost_center if spec.budget is not None else None
    limited = spec.budget is not None and spec.budget.max_cost is not None
    facts = job_facts(
        spec,
        namespace=namespace,
        fingerprint=item.fingerprint or "",
        analysis=item.facts,
        extent=item.extent,
        with_accounts=with_accounts(config, namespace),
        budgeted=limited or any(budget.covers(namespace, center, labels) for budget in covered),
    )
    selection = _select(worker, item, facts, stand, by_hand, memory)
    return _paid(worker, item, selection, tuple(found), labels, budgeted=facts.budgeted)


def _select(
    worker: Worker,
    item: Item,
    facts: JobFacts,
    stand: Sequence[AccountFacts],
    by_hand: Sequence[Registration],
    memory: int | None,
) -> Selection:
    return worker.chooser.choose(facts, stand, lambda: _circuit(worker, item), registered=by_hand, memory=memory)


def _circuit(worker: Worker, item: Item) -> bytes:
    """The circuit that devices are compared by."""
    return prepared_of(item, worker.objects).largest() if item.several else circuit_of(item, worker.objects)


def _facts_of(tx: Connection, account: Account) -> AccountFacts:
    row = accounts.get(tx, account.name)
    if row is None:
        allowance = account.effective_allowance
        left = None if allowance is None else float(allowance.quantum_seconds)
        return AccountFacts(account.name, account.provider, account.plan.value, left)
    stands = standing_of(tx, account, row)
    load = accounts.load(tx, account.name)
    frees = None if stands.frees_at is None else max(0.0, (stands.frees_at - row.now).total_seconds())
    return AccountFacts(
        account.name,
        account.provider,
        account.plan.value,
        stands.remaining_seconds,
        frees,
        load.parked + load.open,
    )


def most_left(worker: Worker, found: Sequence[Account]) -> Account:
    """The account with most quantum time left, less what its waiting jobs are thought to need."""
    with worker.store.read() as tx:
        stand = {account.name: _facts_of(tx, account) for account in found}

    def left(account: Account) -> tuple[float, int]:
        facts = stand[account.name]
        remaining = float("inf") if facts.left_seconds is None else facts.left_seconds
        return remaining - facts.waiting * _TYPICAL_SECONDS, -facts.waiting

    return max(found, key=left)


_TYPICAL_SECONDS = 10.0
"""Quantum time that a job is thought to use while nothing better is known."""


def _paid(
    worker: Worker,
    item: Item,
    selection: Selection,
    found: tuple[Account, ...],
    labels: dict[str, str],
    *,
    budgeted: bool,
) -> Choice:
    """The best candidate that every budget has room for; the best of all where none has."""
    rows = selection.best_first()[:_TRIED]
    if not rows:
        return Choice(selection, found, None, None, budgeted)
    charges = [charge_of(item, row, labels) for row in rows]
    place = 0
    if budgeted:
        with worker.store.read() as tx:
            place = next((n for n, charge in enumerate(charges) if ledger.check(tx, charge) is None), 0)
    return Choice(selection, found, rows[place], charges[place], budgeted)


def remember(tx: Connection, item: Item, choice: Choice) -> None:
    """Keep what was decided, for whoever asks why."""
    selection = replace(choice.selection, chosen=choice.row)
    decisions.keep(
        tx,
        decision_of(selection, job_id=item.job.id, attempt=item.job.attempt, namespace=item.job.namespace),
    )


def charge_of(item: Item, row: Row, labels: dict[str, str]) -> Charge:
    """What the job may cost at most on a candidate."""
    spec, estimate = item.spec, row.estimate
    most = estimate.upper_bound_cost
    simulated = row.candidate.entry.simulator or row.candidate.account is None
    budget = spec.budget
    max_cost = budget.max_cost.micros if budget is not None and budget.max_cost is not None else None
    share = budget.alert_threshold if budget is not None else None
    return Charge(
        job_id=item.job.id,
        attempt=item.job.attempt,
        namespace=item.job.namespace,
        cost_center=budget.cost_center if budget is not None else None,
        labels=labels,
        account=row.account,
        backend=row.device,
        micros=None if most is None else micros(most),
        quantum_seconds=0.0 if simulated else estimate.upper_seconds,
        price=estimate.price,
        reason="scheduled",
        max_cost_micros=max_cost,
        alert_micros=None if share is None or max_cost is None else int(max_cost * share),
    )
