"""What users, workers and the reconciler do to budgets and the ledger, each in a transaction of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update

from qtasks.lifecycle import Phase, Queue, Stage
from qtasks.resources import QiskitBudget, parse
from qtasks.store import Store, balances, budgets, ledger, tables
from qtasks.store.charging import Charge, Refusal
from qtasks.store.costs import discrepancies
from qtasks.store.types import moment
from tests.store.acting import Acting, new_job

DOLLAR = 1_000_000


def budget(name: str = "team", *, namespace: str = "default", **spec: Any) -> QiskitBudget:
    document = {"apiVersion": "quantum.io/v1", "kind": "QiskitBudget"}
    values = {"period": "monthly", **({} if spec.keys() & {"limit", "quantumSeconds"} else {"limit": "$10"}), **spec}
    found = parse({**document, "metadata": {"name": name, "namespace": namespace}, "spec": values})
    assert isinstance(found, QiskitBudget)
    return found


def charge(job_id: str, dollars: float | None = 1, **changes: Any) -> Charge:
    """A charge of the first attempt of a job."""
    values: dict[str, Any] = {
        "job_id": job_id,
        "attempt": 1,
        "namespace": "default",
        "cost_center": None,
        "labels": {},
        "account": "lab",
        "backend": "ibm_fez",
        "micros": None if dollars is None else round(dollars * DOLLAR),
        "quantum_seconds": 0.0,
        "price": "$1.60 a second (a list, 2026-11)",
        "reason": "scheduled",
    }
    return Charge(**{**values, **changes})


@dataclass(frozen=True)
class Charging:
    """One verb, one transaction."""

    store: Store

    @property
    def acting(self) -> Acting:
        return Acting(self.store)

    def job(self, **changes: Any) -> str:
        return self.acting.submitted(**changes)

    def jobs(self, number: int) -> list[str]:
        new = [new_job() for _ in range(number)]
        self.acting.submit(*new)
        return [job.id for job in new]

    def apply(self, resource: QiskitBudget) -> str:
        with self.store.begin() as tx:
            return budgets.apply(tx, resource, resource.metadata.namespace, str(resource.metadata.name))

    def remove(self, name: str = "team", namespace: str = "default") -> bool:
        with self.store.begin() as tx:
            return budgets.remove(tx, namespace, name)

    def reserve(self, *wanted: Charge) -> dict[str, Refusal]:
        with self.store.begin() as tx:
            return ledger.reserve_all(tx, wanted)

    def settle(self, job_id: str, dollars: float | None, *, attempt: int = 1, seconds: float | None = None) -> int:
        micros = None if dollars is None else round(dollars * DOLLAR)
        figures: dict[str, Any] = {"micros": micros, "quantum_seconds": seconds, "price": "actual"}
        with self.store.begin() as tx:
            return ledger.settle(tx, job_id, attempt, **figures, reason="the provider's figure")

    def release(self, *ids: str, attempt: int | None = None) -> list[tuple[str, int]]:
        with self.store.begin() as tx:
            return ledger.release(tx, ids, "it failed", attempt=attempt)

    def release_orphans(self) -> list[str]:
        with self.store.begin() as tx:
            return ledger.release_orphans(tx)

    def wake(self) -> list[str]:
        with self.store.begin() as tx:
            return [row.id for row in ledger.wake(tx)]

    def refused(self, job_id: str, refusal: Refusal) -> None:
        """What the scheduling stage does with a job that a budget refuses: it waits, until the period turns."""
        values = {"phase": Phase.SCHEDULING.value, "reason": refusal.reason}
        values |= {"stage": Stage.SCHEDULING.value, "queue": Queue.SCHEDULING.value}
        with self.store.begin() as tx:
            later = refusal.until or tx.execute(select(moment(86_400.0 * 365))).scalar_one()
            tx.execute(update(tables.jobs).where(tables.jobs.c.id == job_id).values(not_before=later, **values))

    def at_provider(self, job_id: str, *, settled: bool) -> None:
        row = {"job_id": job_id, "attempt": 1, "account": "lab", "device": "ibm_fez", "tag": job_id, "state": "queued"}
        with self.store.begin() as tx:
            times = {"intended_at": moment(), "tried_at": moment()}
            tx.execute(insert(tables.provider_jobs).values(**row, **times, compiled={}, settled=settled))

    def has_settled_at_provider(self, job_id: str) -> None:
        with self.store.begin() as tx:
            mine = tables.provider_jobs.c.job_id == job_id
            tx.execute(update(tables.provider_jobs).where(mine).values(settled=True))

    def in_the_past(self, days: float) -> None:
        """Let all that was charged, and the periods in which it counts, be so many days older."""

        def earlier(when: datetime | None) -> datetime | None:
            return None if when is None else when - timedelta(days=days)

        with self.store.begin() as tx:
            for table, columns in ((tables.budget_periods, ("start", "end")), (tables.charges, ("at",))):
                for row in tx.execute(select(table)).all():
                    key = [column == getattr(row, column.name) for column in table.primary_key]
                    values = {name: earlier(getattr(row, name)) for name in columns}
                    tx.execute(update(table).where(*key).values(**values))

    def stands(self, name: str = "team", namespace: str = "default") -> tuple[float, float]:
        """What is settled and what is reserved in the current period of a budget, in dollars."""
        balance = self.balance(name, namespace)
        return balance.settled_micros / DOLLAR, balance.reserved_micros / DOLLAR

    def balance(self, name: str = "team", namespace: str = "default") -> balances.Balance:
        with self.store.read() as tx:
            (kept,) = budgets.walk(tx, namespace=namespace, name=name)
            now = tx.execute(select(moment())).scalar_one()
            return balances.standings(tx, [kept], now)[kept.id]

    def outstanding(self) -> int:
        with self.store.read() as tx:
            return ledger.outstanding(tx)

    def entries(self, job_id: str) -> list[tuple[str, float | None]]:
        """The ledger's entries of a job: kind, and dollars."""
        table = tables.ledger
        with self.store.read() as tx:
            rows = tx.execute(select(table.c.kind, table.c.micros).where(table.c.job_id == job_id).order_by(table.c.id))
            return [(row.kind, None if row.micros is None else row.micros / DOLLAR) for row in rows]

    def discrepancies(self) -> list[str]:
        with self.store.read() as tx:
            return discrepancies(tx)
