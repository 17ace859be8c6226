"""Jobs in bulk: whole pages of the API's list, and single jobs only where a page would tell less."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from qtasks.backends.ibm.connection import Client, Connection
from qtasks.backends.ibm.states import job_of
from qtasks.backends.protocol import BackendError, ProviderJob, ProviderState, ProviderUnavailable

TAG = "qtasks"
"""On every job of ours."""
PAGE = 200
"""The most that the API lists at a time."""
_CLOCKS = timedelta(minutes=15)
"""How far the provider's clock and the caller's may be apart."""
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def known(provider_job_id: str) -> str:
    """The id, which goes into addresses. Raises BackendError (`NotFound`) for what cannot be one."""
    if not _ID.fullmatch(provider_job_id):
        raise BackendError(f"{provider_job_id[:64]!r} is no id of an IBM Quantum job.", reason="NotFound")
    return provider_job_id


def find(connection: Connection, tag: str, since: datetime) -> list[ProviderJob]:
    """The jobs with a tag, the oldest first. One request."""
    return list(reversed(list(_listed(connection, [tag], since, None))))


def listing(connection: Connection, since: datetime) -> Iterator[ProviderJob]:
    """Every job of ours, the newest first. A request for each 200."""
    return _listed(connection, [TAG], since, None)


def statuses(connection: Connection, ids: Collection[str], since: datetime) -> dict[str, ProviderJob]:
    """Where these jobs stand. 10,000 that wait cost 50 requests.

    First the list of those that wait or run, then the list of those that have ended, each only as long as its further
    pages are fewer than the jobs still looked for; then these one by one. What a job's moving from one list to the
    other, or within one, hides from the pages is found so.
    """
    wanted = set(ids)
    found: dict[str, ProviderJob] = {}
    for pending in (True, False):
        _scan(connection, wanted, found, since, pending=pending)
    for one in wanted - found.keys():
        found[one] = single(connection, one)
    return found


def single(connection: Connection, provider_job_id: str) -> ProviderJob:
    """One job; LOST when IBM does not know it. One request."""
    try:
        return job_of(connection.ask("asking for a job", lambda client: client.job_get(known(provider_job_id))))
    except BackendError as error:
        if error.reason != "NotFound":
            raise
        return ProviderJob(provider_job_id, ProviderState.LOST)


def _scan(
    connection: Connection, wanted: set[str], found: dict[str, ProviderJob], since: datetime, *, pending: bool
) -> None:
    offset = 0
    while missing := len(wanted - found.keys()):
        if offset == 0 and missing == 1:
            return  # the job itself costs no more
        page, count = _page(connection, [TAG], since, pending, offset)
        for data in page:
            job = job_of(data)
            if job.id in wanted:
                found[job.id] = job
        offset += len(page)
        left = math.ceil((count - offset) / PAGE)
        if not page or left <= 0 or left >= len(wanted - found.keys()):
            return


def _listed(connection: Connection, tags: list[str], since: datetime, pending: bool | None) -> Iterator[ProviderJob]:
    seen: set[str] = set()
    offset = 0
    while True:
        page, count = _page(connection, tags, since, pending, offset)
        for data in page:
            job = job_of(data)
            if job.id not in seen and set(tags) <= set(job.tags):
                seen.add(job.id)
                yield job
        offset += len(page)
        if not page or offset >= count:
            return


def _page(
    connection: Connection, tags: list[str], since: datetime, pending: bool | None, offset: int
) -> tuple[list[Any], int]:
    """The newest first: what is made meanwhile shifts jobs to later pages, where they are seen twice, not missed."""

    def request(client: Client) -> Any:
        return client.jobs_get(
            limit=PAGE,
            skip=offset,
            pending=pending,
            job_tags=tags,
            created_after=since.astimezone(UTC) - _CLOCKS,
            descending=True,
        )

    answer = connection.ask("listing jobs", request)
    try:
        return list(answer["jobs"]), int(answer["count"])
    except (KeyError, TypeError, ValueError):
        raise ProviderUnavailable("IBM Quantum's list of jobs cannot be understood.") from None
