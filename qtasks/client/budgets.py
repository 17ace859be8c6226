"""Budgets and costs as their users see them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from qtasks.access import Verb
from qtasks.alerts.status import status
from qtasks.client import scoped
from qtasks.client.namespaces import namespace_of
from qtasks.errors import InvalidInput, NotFound, Unavailable
from qtasks.lifecycle import Queue
from qtasks.queue import Hint
from qtasks.resources import Money, QiskitBudget
from qtasks.resources.budget import BudgetSelector
from qtasks.results import timestamp
from qtasks.store import alerts, balances, budget_waits, ledger
from qtasks.store import budgets as store
from qtasks.store import costs as spending
from qtasks.store.balances import Balance
from qtasks.store.budgets import Budget
from qtasks.store.costs import Spent
from qtasks.store.types import moment

if TYPE_CHECKING:
    from qtasks.client.direct import Direct


def apply_budget(direct: Direct, resource: QiskitBudget, namespace: str | None = None) -> str:
    """Keep a budget: `created`, `unchanged`, or `configured` when it was there with another spec. Jobs that waited for
    it go on where there is enough now.

    `namespace` overrides the resource's own. What was spent in its current period counts, also from before it was made.
    A budget for jobs of other namespaces (`resource.spans_namespaces(namespace)`) is for admins of all of them. Raises
    InvalidInput (`NameMissing`) and Forbidden.
    """
    name = resource.metadata.name
    if name is None:
        raise InvalidInput("A QiskitBudget needs metadata.name.", reason="NameMissing")
    where = namespace_of(resource.metadata, namespace)
    _require_to_change(direct, Verb.APPLY_BUDGET, name, where, resource)
    with direct.store.begin() as tx:
        done = store.apply(tx, resource, where, name)
    if done != "unchanged":
        wake(direct)
    return done


def _require_to_change(
    direct: Direct, verb: Verb, name: str, namespace: str, resource: QiskitBudget | None = None
) -> None:
    """Raise Forbidden unless the caller may apply, or without a resource delete, a budget. One that is for jobs of
    other namespaces, or was, is for who may do so in all of them."""
    spans = resource is not None and resource.spans_namespaces(namespace)
    with direct.store.read() as tx:
        for there in store.walk(tx, namespace=namespace, name=name):
            chosen = BudgetSelector.model_validate(there.resource["spec"].get("selector", {})).namespaces
            spans = spans or (chosen is not None and set(chosen) != {namespace})
    direct.guard.may(verb, None if spans else namespace, name, again=True)


def wake(direct: Direct) -> list[str]:
    """Let the jobs go on for which budgets have something now; returns their ids."""
    with direct.store.begin() as tx:
        woken = ledger.wake(tx)
    with suppress(Unavailable):  # the reconciler publishes again
        for row in woken:
            direct.installation.publisher.suggest(Hint(Queue.SCHEDULING, row.id, row.name, row.priority))
    return [row.id for row in woken]


def budgets(direct: Direct, namespace: str | None = "default") -> list[dict[str, Any]]:
    """The budgets that are kept in a namespace, or in all that the caller may see, as documents: by namespace and
    name."""
    scope = direct.guard.scope(Verb.LIST, namespace or "default", everywhere=namespace is None)
    with direct.store.read() as tx:
        return scoped.all_of(scope, lambda where: _documents(tx, store.walk(tx, namespace=where)))


def budget(direct: Direct, name: str, namespace: str = "default") -> dict[str, Any]:
    """One budget as a document, with the jobs that wait for it in `status.waiting`. Raises NotFound
    (`BudgetNotFound`)."""
    direct.guard.known(Verb.GET, namespace, name, _not_found(name, namespace))
    return _budget(direct, name, namespace)


def _budget(direct: Direct, name: str, where: str) -> dict[str, Any]:
    with direct.store.read() as tx:
        found = store.walk(tx, namespace=where, name=name)
        if not found:
            raise _not_found(name, where)
        (one,) = _documents(tx, found)
        waiting = [
            f"{row.namespace}/{row.name}"
            for row in budget_waits.waiting_for_budget(tx)
            if found[0].covers(row.namespace, row.cost_center, row.labels)
        ]
        told = alerts.latest(tx, where, name)
    one["status"] |= {"waiting": waiting, "alerts": status(told)}
    return one


def delete_budget(direct: Direct, name: str, namespace: str = "default") -> dict[str, Any]:
    """Keep a budget no longer; returns what it was. Jobs that waited for it go on; what was charged stays in the
    ledger. Raises NotFound (`BudgetNotFound`) and Forbidden."""
    direct.guard.known(Verb.GET, namespace, name, _not_found(name, namespace))
    _require_to_change(direct, Verb.DELETE_BUDGET, name, namespace)
    was = _budget(direct, name, namespace)
    with direct.store.begin() as tx:
        if not store.remove(tx, namespace, name):
            raise _not_found(name, namespace)
    wake(direct)
    return was


def costs(
    direct: Direct,
    by: str = "namespace",
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    namespace: str | None = "default",
) -> list[dict[str, Any]]:
    """What jobs of a namespace, or of all that the caller may see, cost from `since` until just before `until`, by
    namespace, cost-center, backend, account, month (of UTC), job or label:KEY; the dearest first. Amounts are `Decimal`
    US dollars, exact.

    Raises InvalidInput (`UnknownGroup`).
    """
    scope = direct.guard.scope(Verb.COSTS, namespace or "default", everywhere=namespace is None)
    with direct.store.read() as tx:

        def found(where: str | None) -> list[dict[str, Any]]:
            return [_spent(by, row) for row in spending.costs(tx, by, since=since, until=until, namespace=where)]

        groups = scoped.all_of(scope, found)
    return groups if scope is None or len(scope) == 1 else scoped.added_up(by, groups)


def discrepancies(direct: Direct) -> list[str]:
    """Where the books of what was charged do not agree to the micro-dollar, a sentence for each. Whoever may not see
    the costs of all namespaces is told nothing."""
    if not direct.guard.sees(Verb.COSTS, None):
        return []
    with direct.store.read() as tx:
        return spending.discrepancies(tx)


def _spent(by: str, row: Spent) -> dict[str, Any]:
    known = {
        by.removeprefix(spending.LABEL): row.key,
        "name": row.name,
        "spent": Money.from_micros(row.settled_micros).value,
        "reserved": Money.from_micros(row.reserved_micros).value,
        "quantumSeconds": row.quantum_micros / 1e6,
        "jobs": row.jobs,
        "unpriced": row.unpriced,
    }
    return known if by == "job" else {name: value for name, value in known.items() if name != "name"}


def _documents(tx: Connection, found: Iterable[Budget]) -> list[dict[str, Any]]:
    found = list(found)
    now = tx.execute(select(moment())).scalar_one()
    stand = balances.standings(tx, found, now)
    return [document(one, stand[one.id], now) for one in found]


def document(kept: Budget, balance: Balance, now: datetime) -> dict[str, Any]:
    """A budget with its current period as plain JSON data in the form of a Kubernetes resource. Money is text such as
    "$10.00", quantum time in seconds; boundaries of the period are in UTC, and made by the clock of `timeZone`."""
    stretch = kept.stretch(now)
    status: dict[str, Any] = {
        "period": {
            "start": None if stretch.end is None else timestamp(stretch.start),
            "end": None if stretch.end is None else timestamp(stretch.end),
            "timeZone": kept.spec.time_zone,
        },
        "spent": str(Money.from_micros(balance.settled_micros)),
        "reserved": str(Money.from_micros(balance.reserved_micros)),
        "percent": round(balance.percent(kept), 2),
        "thresholdsCrossed": balance.crossed,
        "quantumSeconds": {"used": balance.settled_quantum / 1e6, "reserved": balance.reserved_quantum / 1e6},
    }
    if kept.limit_micros is not None:
        status["remaining"] = str(Money.from_micros(kept.limit_micros - balance.micros))
    if kept.limit_quantum is not None:
        status["quantumSeconds"]["remaining"] = (kept.limit_quantum - balance.quantum) / 1e6
    metadata = {"name": kept.name, "namespace": kept.namespace, "creationTimestamp": timestamp(kept.created_at)}
    return {
        "apiVersion": kept.resource["apiVersion"],
        "kind": "QiskitBudget",
        "metadata": {**kept.resource.get("metadata", {}), **metadata},
        "spec": kept.resource["spec"],
        "status": status,
    }


def _not_found(name: str, namespace: str) -> NotFound:
    return NotFound(
        f"There is no budget {name} in namespace {namespace}.",
        reason="BudgetNotFound",
        hint="`qtasks get budgets` lists them.",
    )
