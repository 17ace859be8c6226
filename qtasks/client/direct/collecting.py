"""What became of jobs, for whoever collects them, and having pollers look at them now."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qtasks.access import Verb
from qtasks.client.collected import Collected, collected_of
from qtasks.client.gateway import Looked
from qtasks.client.submission import is_id
from qtasks.store import accounts, jobs, provider_jobs

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from qtasks.client.direct.direct import Direct

_CHUNK = 1000
_LOOK_SECONDS = 0.1


def collect(direct: Direct, entries: Sequence[Mapping[str, Any]] | None, namespace: str) -> list[Collected | None]:
    """See `Gateway.collect`."""
    names = [account.name for account in direct.installation.config.accounts]
    if entries is None:
        direct.guard.may(Verb.COLLECT, namespace)
    with direct.store.read() as tx:
        if entries is None:
            ids: list[str | None] = list(jobs.ids_at_providers(tx, namespace))
            rows = _rows(tx, [job_id for job_id in ids if job_id is not None])
        else:
            rows = _rows(tx, [own for entry in entries for own in _own_ids(entry)])
            ids = [_id_of(tx, entry, rows) for entry in entries]
            rows |= _rows(tx, [job_id for job_id in ids if job_id is not None and job_id not in rows])
    visible = direct.guard.visible(Verb.COLLECT, list(rows))
    found = {job_id: collected_of(row, names) for job_id, row in rows.items() if job_id in visible}
    return [None if job_id is None else found.get(job_id) for job_id in ids]


def _rows(tx: Connection, ids: Sequence[str]) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for start in range(0, len(ids), _CHUNK):
        rows |= jobs.get_all(tx, ids[start : start + _CHUNK])
    return rows


def _own_ids(entry: Mapping[str, Any]) -> list[str]:
    """The ids in a line that may be ours."""
    named = (entry.get("qtasks_job_id"), entry.get("job_id"))
    return [own for own in named if isinstance(own, str) and is_id(own)]


def _id_of(tx: Connection, entry: Mapping[str, Any], rows: Mapping[str, Any]) -> str | None:
    for own in _own_ids(entry):
        if own in rows:
            return own
    there = provider_jobs.by_provider_id(tx, str(entry.get("job_id")))
    return None if there is None else str(there.job_id)


def look(direct: Direct, ids: Sequence[str], *, seconds: float) -> Looked:
    """See `Gateway.look`."""
    direct.guard.jobs(Verb.COLLECT, ids)
    with direct.store.read() as tx:
        rows = _rows(tx, ids)
    names = sorted({row.account for row in rows.values() if row.account is not None})
    if not names:
        return Looked((), {})
    with direct.store.begin() as tx:
        accounts.wake(tx, names)
        before = {name: row for name, row in accounts.states(tx).items() if name in names}
    direct.installation.hint_pollers()
    deadline = time.monotonic() + seconds
    while True:
        with direct.store.read() as tx:
            now = accounts.states(tx)
        left = tuple(name for name, row in before.items() if name in now and not _visited(row, now[name]))
        if not left or time.monotonic() > deadline:
            trouble = {name: (now[name].reason, now[name].message) for name in before if now[name].reason}
            return Looked(left, trouble)
        time.sleep(_LOOK_SECONDS)


def _visited(before: Any, now: Any) -> bool:
    """Whether a visit has ended that began after `before`, answered or not."""
    if before.owner is not None and now.fence == before.fence:
        return False
    return now.owner is None and (
        (now.polled_at is not None and now.polled_at > before.now) or now.failures > before.failures
    )
