"""Budgets and costs as their users see them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from qtasks.alerts import status
from qtasks.errors import InvalidInput, NotFound, Unavailable
from qtasks.lifecycle import Stage
from qtasks.queue import Hint
from qtasks.resources import Metadata, Money, QiskitBudget
from qtasks.results import timestamp
from qtasks.store import alerts, balances, budget_waits, ledger
from qtasks.store import budgets as store
from qtasks.store import costs as spending
from qtasks.store.balances import Balance
from qtasks.store.budgets import Budget
from qtasks.store.costs import Spent
from qtasks.store.types import moment

if TYPE_CHECKING:
    from qtasks.client.client import Client


def apply_budget(client: Client, resource: QiskitBudget, namespace: str | None = None) -> str:
    """Keep a budget: `created`, `unchanged`, or `configured` when it was there with another spec. Jobs that waited for
    it go on where there is enough now.

    `namespace` overrides the resource's own. What was spent in its current period counts, also from before it was made.
    A budget for jobs of other namespaces (`resource.spans_namespaces(namespace)`) is for administrators: whoever calls
    this has to see to that. Raises InvalidInput (`NameMissing`).
    """
    name = resource.metadata.name
    if name is None:
        raise InvalidInput("A QiskitBudget needs metadata.name.", reason="NameMissing")
    where = namespace_of(client, resource, namespace)
    with client._store.begin() as tx:
        done = store.apply(tx, resource, where, name)
    if done != "unchanged":
        wake(client)
    return done


def namespace_of(client: Client, resource: QiskitBudget, namespace: str | None = None) -> str:
    """The namespace in which a budget is kept that is applied with `namespace`."""
    if namespace is not None:
        return Metadata(namespace=namespace).namespace
    metadata = resource.metadata
    return metadata.namespace if "namespace" in metadata.model_fields_set else client.namespace


def wake(client: Client) -> list[str]:
    """Let the jobs go on for which budgets have something now; returns their ids."""
    with client._store.begin() as tx:
        woken = ledger.wake(tx)
    with suppress(Unavailable):  # the reconciler publishes again
        for row in woken:
            client._publisher.suggest(Hint(Stage.SCHEDULING, row.id, row.name, row.priority))
    return [row.id for row in woken]


def budgets(client: Client, namespace: str | None = None, all_namespaces: bool = False) -> list[dict[str, Any]]:
    """The budgets that are kept in a namespace, or in all, as documents: by namespace and name."""
    with client._store.read() as tx:
        found = store.walk(tx, namespace=None if all_namespaces else namespace or client.namespace)
        return _documents(tx, found)


def budget(client: Client, name: str, namespace: str | None = None) -> dict[str, Any]:
    """One budget as a document, with the jobs that wait for it in `status.waiting`. Raises NotFound
    (`BudgetNotFound`)."""
    where = namespace or client.namespace
    with client._store.read() as tx:
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


def delete_budget(client: Client, name: str, namespace: str | None = None) -> dict[str, Any]:
    """Keep a budget no longer; returns what it was. Jobs that waited for it go on; what was charged stays in the
    ledger. Raises NotFound (`BudgetNotFound`)."""
    where = namespace or client.namespace
    was = budget(client, name, where)
    with client._store.begin() as tx:
        if not store.remove(tx, where, name):
            raise _not_found(name, where)
    wake(client)
    return was


def costs(
    client: Client,
    by: str = "namespace",
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    namespace: str | None = None,
    all_namespaces: bool = False,
) -> list[dict[str, Any]]:
    """What jobs cost from `since` until just before `until`, by namespace, cost-center, backend, account, month (of
    UTC), job or label:KEY; the dearest first. Amounts are `Decimal` US dollars, exact.

    Raises InvalidInput (`UnknownGroup`).
    """
    where = None if all_namespaces else namespace or client.namespace
    with client._store.read() as tx:
        return [_spent(by, row) for row in spending.costs(tx, by, since=since, until=until, namespace=where)]


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
