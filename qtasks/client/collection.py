"""Collecting: what became of jobs that were submitted earlier, by ids, by jobs files, or all of a namespace."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtasks.access import Verb
from qtasks.client import collected, jobs_file
from qtasks.client.job import stored_result
from qtasks.client.jobs_file import Entry, Status
from qtasks.client.submission import is_id
from qtasks.errors import NotFound, QTasksError, Unavailable
from qtasks.lifecycle import Phase
from qtasks.results import JobResult
from qtasks.store import accounts, jobs, provider_jobs

if TYPE_CHECKING:
    from qtasks.client.client import Client

_CHUNK = 1000
_LOOK_SECONDS = 0.1


@dataclass(slots=True)
class Wanted:
    """One job that is collected."""

    entry: Entry
    job_id: str | None
    """Its id here; None for a line whose job no row knows."""
    files: tuple[Path, ...] = ()
    """The jobs files that name it."""
    row: Any = None
    """Its row, when it was looked at last."""
    news: Entry = field(default_factory=dict)
    """What that says, as a line."""

    @property
    def status(self) -> Status:
        return Status(self.entry["status"])

    @property
    def word(self) -> str:
        return collected.word(self.status, self.row)


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of asking pollers to look."""

    unanswered: tuple[str, ...]
    """The accounts that no poller has looked at in time."""
    trouble: Mapping[str, tuple[str, str]]
    """Reason and message of accounts whose provider did not answer as it should."""


def of_ids(client: Client, ids: Iterable[str], *, unknown: bool = False) -> list[Wanted]:
    """The jobs with these ids (here or at the provider) or names. Raises NotFound (`JobNotFound`) unless those that no
    row knows are wanted too, as ids of the provider."""
    found = []
    for each in ids:
        try:
            found.append(_wanted(client.job(each).job_id()))
        except NotFound:
            if not unknown or is_id(each):
                raise
            found.append(Wanted({"job_id": each, "status": Status.SUBMITTED.value}, None))
    return found


def of_namespace(client: Client) -> list[Wanted]:
    """Every job of the namespace that is or was at a provider, the oldest first."""
    client._guard.may(Verb.COLLECT, client.namespace)
    with client._store.read() as tx:
        return [_wanted(job_id) for job_id in jobs.ids_at_providers(tx, client.namespace)]


def _wanted(job_id: str) -> Wanted:
    return Wanted({"job_id": job_id, "status": Status.SUBMITTED.value}, job_id)


def of_file(client: Client, path: Path) -> list[Wanted]:
    """The lines of a jobs file, each with the id of its job where a row knows it."""
    entries = jobs_file.read(path)
    ids = ids_of(client, entries)
    return [Wanted(entry, job_id, (path,)) for entry, job_id in zip(entries, ids, strict=True)]


def ids_of(client: Client, entries: Sequence[Entry]) -> list[str | None]:
    """The ids of the jobs that lines are about; None where no row knows it, or its job is not the caller's to see."""
    with client._store.read() as tx:
        found = [_id_of(tx, entry) for entry in entries]
    visible = client._guard.visible(Verb.COLLECT, [job_id for job_id in found if job_id is not None])
    return [job_id if job_id in visible else None for job_id in found]


def _id_of(tx: Any, entry: Entry) -> str | None:
    for own in (entry.get("qtasks_job_id"), entry["job_id"]):
        if isinstance(own, str) and is_id(own) and jobs.phases(tx, [own]):
            return own
    row = provider_jobs.by_provider_id(tx, entry["job_id"])
    return None if row is None else str(row.job_id)


def once(wanted: Iterable[Wanted]) -> list[Wanted]:
    """Each job once, however often it was named: as it was first."""
    found: dict[str, Wanted] = {}
    for one in wanted:
        first = found.setdefault(one.job_id or one.entry["job_id"], one)
        if first is not one:
            first.files = tuple(dict.fromkeys((*first.files, *one.files)))
    return list(found.values())


def refresh(client: Client, wanted: Sequence[Wanted]) -> None:
    """Read the rows of the jobs, and bring their entries up to date."""
    names = [account.name for account in client._config.accounts]
    visible = client._guard.visible(Verb.COLLECT, [one.job_id for one in wanted if one.job_id is not None])
    ids = sorted(visible)
    rows: dict[str, Any] = {}
    with client._store.read() as tx:
        for start in range(0, len(ids), _CHUNK):
            rows |= jobs.get_all(tx, ids[start : start + _CHUNK])
    for one in wanted:
        if one.job_id is None:
            continue
        one.row = rows.get(one.job_id)
        gone = {"status": Status.ERROR.value, "error": "The job is not there any more."}
        one.news = gone if one.row is None else collected.line_of(one.row, names)
        one.entry = collected.merged(one.entry, one.news)


def look(client: Client, wanted: Sequence[Wanted], *, seconds: float) -> Looked:
    """Have pollers look at the jobs that are not final, now, and wait at most so long until they have."""
    names = sorted({one.row.account for one in wanted if one.row is not None and _at_provider(one.row)})
    if not names:
        return Looked((), {})
    with client._store.begin() as tx:
        accounts.wake(tx, names)
        before = {name: row for name, row in accounts.states(tx).items() if name in names}
    client._hint_pollers()
    deadline = time.monotonic() + seconds
    while True:
        with client._store.read() as tx:
            now = accounts.states(tx)
        left = tuple(name for name, row in before.items() if name in now and not _visited(row, now[name]))
        if not left or time.monotonic() > deadline:
            trouble = {name: (now[name].reason, now[name].message) for name in before if now[name].reason}
            return Looked(left, trouble)
        time.sleep(_LOOK_SECONDS)


def _at_provider(row: Any) -> bool:
    return not Phase(row.phase).final and row.account is not None and row.provider_job_id is not None


def _visited(before: Any, now: Any) -> bool:
    """Whether a visit has ended that began after `before`, answered or not."""
    if before.owner is not None and now.fence == before.fence:
        return False
    return now.owner is None and (
        (now.polled_at is not None and now.polled_at > before.now) or now.failures > before.failures
    )


def results(client: Client, wanted: Sequence[Wanted]) -> dict[str, Any]:
    """The document of collected results: every job with what became of it."""
    client._guard.jobs(Verb.RESULTS, [one.job_id for one in wanted if one.job_id is not None and one.row is not None])
    return collected.document([_collected(client, one) for one in wanted])


def _collected(client: Client, one: Wanted) -> Entry:
    result: JobResult | None = None
    if one.status is Status.COMPLETED and one.row is not None:
        try:
            result = stored_result(client._objects, one.row)
        except Unavailable:
            raise
        except QTasksError as error:
            one.entry = {**one.entry, "status": Status.ERROR.value, "error": str(error)}
    return collected.collected(one.entry, one.row, result)


def update_files(wanted: Sequence[Wanted]) -> None:
    """Bring the jobs files up to date in which the jobs were named."""
    news = {key: one.news for one in wanted if one.news for key in (one.job_id, one.entry["job_id"])}

    def updated(entries: Sequence[Entry]) -> list[Entry]:
        return [_updated(entry, news) for entry in entries]

    for path in dict.fromkeys(path for one in wanted for path in one.files):
        jobs_file.rewrite(path, updated)


def _updated(entry: Entry, news: Mapping[str | None, Entry]) -> Entry:
    # A line written before its job was imported anew has another id for it here.
    found = news.get(entry.get("qtasks_job_id")) or news.get(entry["job_id"])
    return entry if found is None else collected.merged(entry, found)
