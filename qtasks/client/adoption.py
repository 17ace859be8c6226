"""Making jobs of provider jobs that no row knows: of another tool, or of a database that is lost."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import IntegrityError

from qtasks.access import Verb
from qtasks.client.accounts import served_by
from qtasks.client.submission import Template
from qtasks.config import Account
from qtasks.lifecycle import ConditionStatus, ConditionType
from qtasks.resources import Execution, QiskitJob
from qtasks.store import accounts, jobs, provider_jobs, records
from qtasks.store.ids import new_id
from qtasks.store.jobs import NewJob
from qtasks.store.records import Condition, Event

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from qtasks.client.direct import Direct

_UNFIT = re.compile(r"[^a-z0-9.-]+")


@dataclass(frozen=True, slots=True)
class Foreign:
    """A provider job, and what is known of it elsewhere."""

    account: Account
    provider_job_id: str
    device: str | None
    shots: int | None = None
    tag: str = ""
    """By which qtasks submitted it; empty for a job of another tool."""
    job_id: str | None = None
    """The id that its job had, and gets again; a new one when absent."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    made_at: datetime | None = None
    """When it was submitted; about now when nobody knows."""


def adopt(direct: Direct, foreign: Sequence[Foreign], namespace: str) -> dict[str, str]:
    """Make a job of each provider job that no row knows, all or none; pollers collect them like any other.

    Returns the jobs' ids by the provider's. Those that a row knows are left out: adopting twice makes nothing twice.
    Such a job has no circuit of its own, and is never tried again. Raises Forbidden: see `require_adoption`.
    """
    for account in {one.account.name: one.account for one in foreign}.values():
        require_adoption(direct, account, namespace)
    source = direct.guard.source(f"client/{os.getpid()}")
    for attempt in range(3):
        try:
            with direct.store.begin() as tx:
                made = _adopted(tx, foreign, namespace, source=source)
        except IntegrityError:
            # Somebody adopted one of them meanwhile; the next look finds it known.
            if attempt == 2:
                raise
        else:
            break
    if made:
        direct.installation.hint_pollers()
    return made


def require_adoption(direct: Direct, account: Account, namespace: str) -> None:
    """Raise Forbidden unless the caller may adopt jobs of this account. Nobody knows whose they were, so it must be an
    operator in every namespace that the account serves."""
    direct.guard.may(Verb.RECOVER, namespace, account.name, again=True)
    for served in served_by(direct.installation.config, account) or (None,):
        direct.guard.require(Verb.RECOVER, served, account.name)


def _adopted(tx: Connection, foreign: Sequence[Foreign], namespace: str, *, source: str) -> dict[str, str]:
    made: dict[str, str] = {}
    for account in {one.account.name: one.account for one in foreign}.values():
        accounts.ensure(tx, account.name, account.provider.value)
        accounts.wake(tx, [account.name])
    for one in {one.provider_job_id: one for one in foreign}.values():
        # Two accounts may be two keys of one instance: whichever a row names, it is the same provider job.
        known = provider_jobs.by_provider_id(tx, one.provider_job_id) is not None
        if not known and (job_id := _job_of(tx, one, namespace, source)):
            made[one.provider_job_id] = job_id
    return made


def _job_of(tx: Connection, one: Foreign, namespace: str, source: str) -> str | None:
    """The id of the job that was made; None when there is one already."""
    job = _new_job(one, namespace)
    message = f"Adopted from account {one.account.name}, where it is {one.provider_job_id}."
    event = Event("Adopted", message)
    existing = jobs.submit(tx, [job], source=source, event=event)
    if existing and not existing[job.id].by_key:
        # The name is somebody else's.
        job = _new_job(one, namespace, suffix=f"-{new_id()[-12:]}")
        existing = jobs.submit(tx, [job], source=source, event=event)
    device = one.device or one.account.provider.value
    tag = one.tag or f"adopted-{job.id}"
    at: dict[str, Any] = {"device": device, "tag": tag, "made_at": one.made_at}
    if existing or not provider_jobs.adopt(tx, job.id, one.account.name, one.provider_job_id, **at):
        return None
    condition = Condition(ConditionType.SUBMITTED, ConditionStatus.TRUE, event.reason, message)
    records.settle_condition(tx, [job.id], condition)
    return job.id


def _new_job(one: Foreign, namespace: str, *, suffix: str = "") -> NewJob:
    """The rows of a job without a circuit. Its name is the provider's id, as far as that can be a name."""
    backend = {"type": one.account.provider.value, "name": one.device, "account": one.account.name}
    spec: dict[str, Any] = {
        "backend": {name: value for name, value in backend.items() if value is not None},
        "circuit": {"source": "inline", "code": "…"},
        "execution": {"shots": min(max(one.shots or Execution().shots, 1), 100_000)},
        # There is nothing to submit again.
        "retry_policy": {"max_retries": 0},
    }
    template = Template.of(QiskitJob(metadata={"annotations": dict(one.annotations)}, spec=spec))
    name = _UNFIT.sub("-", one.provider_job_id.rsplit("/", 1)[-1].lower()).strip("-.")[:200] or "adopted"
    return NewJob(
        id=one.job_id or new_id(),
        namespace=namespace,
        name=f"{name}{suffix}",
        idempotency_key=_key(one),
        priority=Execution().priority.level,
        shots=spec["execution"]["shots"],
        batchable=False,
        total_seconds=None,
        labels={},
        resource=template.resource,
        spec_hash=hashlib.sha256(template.spec).hexdigest(),
        format=None,
        data=None,
        object_key=None,
        sha256=None,
        git_commit=None,
    )


def _key(one: Foreign) -> str:
    """One job for one provider job, however many adopt it."""
    return f"adopted:{hashlib.sha256(json.dumps([one.account.name, one.provider_job_id]).encode()).hexdigest()}"
