"""Collecting: what became of jobs that were submitted earlier, by ids, by jobs files, or all of a namespace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtasks.client import collected, jobs_file
from qtasks.client.collected import Collected
from qtasks.client.gateway import Looked as Looked
from qtasks.client.jobs_file import Entry, Status
from qtasks.client.submission import is_id
from qtasks.errors import Forbidden, NotFound, QTasksError, Unavailable
from qtasks.results import JobResult

if TYPE_CHECKING:
    from qtasks.client.client import Client


@dataclass(slots=True)
class Wanted:
    """One job that is collected."""

    entry: Entry
    job_id: str | None
    """Its id here; None for a line whose job nobody here knows."""
    files: tuple[Path, ...] = ()
    """The jobs files that name it."""
    row: Collected | None = None
    """The job, when it was looked at last."""
    news: Entry = field(default_factory=dict)
    """What that says, as a line."""

    @property
    def status(self) -> Status:
        return Status(self.entry["status"])

    @property
    def word(self) -> str:
        return collected.word(self.status, running=self.row is not None and self.row.running)


def of_ids(client: Client, ids: Iterable[str], *, unknown: bool = False) -> list[Wanted]:
    """The jobs with these ids (here or at the provider) or names. Raises NotFound (`JobNotFound`) unless those that
    nobody here knows are wanted too, as ids of the provider."""
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
    return [_wanted(one.id) for one in client._gateway.collect(None, client.namespace) if one is not None]


def _wanted(job_id: str) -> Wanted:
    return Wanted({"job_id": job_id, "status": Status.SUBMITTED.value}, job_id)


def of_file(client: Client, path: Path) -> list[Wanted]:
    """The lines of a jobs file, each with the id of its job where it is known here."""
    entries = jobs_file.read(path)
    ids = ids_of(client, entries)
    return [Wanted(entry, job_id, (path,)) for entry, job_id in zip(entries, ids, strict=True)]


def ids_of(client: Client, entries: Sequence[Entry]) -> list[str | None]:
    """The ids of the jobs that lines are about; None where nobody here knows it, or it is not the caller's to see."""
    return [None if one is None else one.id for one in client._gateway.collect(entries, client.namespace)]


def once(wanted: Iterable[Wanted]) -> list[Wanted]:
    """Each job once, however often it was named: as it was first."""
    found: dict[str, Wanted] = {}
    for one in wanted:
        first = found.setdefault(one.job_id or one.entry["job_id"], one)
        if first is not one:
            first.files = tuple(dict.fromkeys((*first.files, *one.files)))
    return list(found.values())


def refresh(client: Client, wanted: Sequence[Wanted]) -> None:
    """Look at the jobs, and bring their entries up to date."""
    known = [one for one in wanted if one.job_id is not None]
    asked: list[Mapping[str, Any]] = [{"qtasks_job_id": one.job_id, "job_id": one.job_id} for one in known]
    for one, found in zip(known, client._gateway.collect(asked, client.namespace), strict=True):
        one.row = found
        gone = {"status": Status.ERROR.value, "error": "The job is not there any more."}
        one.news = gone if found is None else found.line
        one.entry = collected.merged(one.entry, one.news)


def look(client: Client, wanted: Sequence[Wanted], *, seconds: float) -> Looked:
    """Have pollers look at the jobs that are not final, now, and wait at most so long until they have."""
    ids = [one.row.id for one in wanted if one.row is not None and one.row.at_provider]
    return client._gateway.look(ids, seconds=seconds) if ids else Looked((), {})


def results(client: Client, wanted: Sequence[Wanted]) -> dict[str, Any]:
    """The document of collected results: every job with what became of it."""
    return collected.document([_collected(client, one) for one in wanted])


def _collected(client: Client, one: Wanted) -> Entry:
    result: JobResult | None = None
    if one.status is Status.COMPLETED and one.row is not None:
        try:
            result = client._gateway.result(one.row.id)
        except (Unavailable, Forbidden):
            raise
        except QTasksError as error:
            one.entry = {**one.entry, "status": Status.ERROR.value, "error": str(error)}
    return collected.entry_of(one.entry, one.row, result)


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
