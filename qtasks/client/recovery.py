"""Recovery: provider jobs that carry a tag of qtasks and that no row knows, found and made jobs again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from qtasks.backends.accounts import secret_of
from qtasks.backends.protocol import ProviderJob
from qtasks.backends.registry import open_backend
from qtasks.client.adoption import Foreign, adopt, require_adoption
from qtasks.config import Account
from qtasks.errors import InvalidInput
from qtasks.lifecycle import Phase
from qtasks.resources import Duration
from qtasks.results import timestamp
from qtasks.secrets import read_secret
from qtasks.settings import Settings
from qtasks.store import jobs, provider_jobs

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from qtasks.client.client import Client

_TAG = re.compile(r"qtasks-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-([0-9]{1,9})")
_AT_ONCE = 500


@dataclass(slots=True)
class Found:
    """A provider job that no row knows."""

    job: ProviderJob
    tag: str
    job_id: str
    """The id of the job that its tag names."""
    attempt: int
    row: Any
    """That job's row; None when there is none."""
    adopted: str | None = None
    """The id of the job that was made of it."""

    @property
    def wanted(self) -> bool:
        """Whether its job is there and goes on: workers and pollers then see to it themselves."""
        return self.row is not None and not Phase(self.row.phase).final

    @property
    def known(self) -> str:
        """What is known of the tag's job, and what becomes of this."""
        if self.adopted is not None:
            return "adopted"
        if self.row is None:
            return "unknown"
        name = f"{self.row.namespace}/{self.row.name}"
        if not self.wanted:
            return f"{name} is {self.row.phase}"
        if self.row.attempt == self.attempt and self.row.provider_job_id is None:
            return f"{name} looks for it itself"
        return f"{name} goes on without it"


def find(client: Client, account: Account, since: datetime) -> list[Found]:
    """What the account's provider has of qtasks since then that no row knows, the oldest first.

    Asks the provider in this process, with the account's secret. Raises what `Backend.listing` does, and NotFound for
    a secret that is not there; Forbidden as `require_adoption`.
    """
    direct = client._direct("Recovery")
    require_adoption(direct, account, client.namespace)
    backend = open_backend(account, lambda: _credentials(direct.settings, account))
    tagged = [(job, match) for job in backend.listing(since=since) if (match := _tag_of(job))]
    found: list[Found] = []
    with direct.store.read() as tx:
        for start in range(0, len(tagged), _AT_ONCE):
            found += _unknown(tx, account, tagged[start : start + _AT_ONCE])
    return sorted(found, key=lambda one: one.job.created_at or since)


def _credentials(settings: Settings, account: Account) -> Mapping[str, str]:
    secret = secret_of(account)
    if secret is None:
        return {}
    return read_secret(settings, namespace=secret[0], name=secret[1]).values


def _tag_of(job: ProviderJob) -> re.Match[str] | None:
    return next((match for tag in job.tags if (match := _TAG.fullmatch(tag))), None)


def _unknown(tx: Connection, account: Account, tagged: Sequence[tuple[ProviderJob, re.Match[str]]]) -> Iterator[Found]:
    known = provider_jobs.known(tx, account.name, [job.id for job, _ in tagged])
    rows = jobs.get_all(tx, list({match[1] for _, match in tagged}))
    for job, match in tagged:
        if job.id not in known and provider_jobs.by_provider_id(tx, job.id) is None:
            yield Found(job, match[0], match[1], int(match[2]), rows.get(match[1]))


def adopt_found(client: Client, account: Account, found: Sequence[Found]) -> list[str]:
    """Make jobs of those whose own job is lost or has ended; returns their ids.

    The latest attempt of a lost job gets the id again that its submitter knows.
    """
    latest: dict[str, Found] = {}
    for one in found:
        if one.row is None and one.attempt >= getattr(latest.get(one.job_id), "attempt", 0):
            latest[one.job_id] = one
    foreign = [
        Foreign(
            account,
            one.job.id,
            one.job.device,
            tag=one.tag,
            job_id=one.job_id if latest.get(one.job_id) is one else None,
            made_at=one.job.created_at,
        )
        for one in found
        if not one.wanted
    ]
    made = adopt(client._direct("Recovery"), foreign, client.namespace) if foreign else {}
    for one in found:
        one.adopted = made.get(one.job.id)
    return list(made.values())


def document(one: Found) -> dict[str, Any]:
    """A provider job that was found, as plain JSON data."""
    return {
        "id": one.job.id,
        "tag": one.tag,
        "device": one.job.device,
        "state": one.job.state.value,
        "created": None if one.job.created_at is None else timestamp(one.job.created_at),
        "job": {
            "uid": one.job_id,
            "attempt": one.attempt,
            "namespace": None if one.row is None else one.row.namespace,
            "name": None if one.row is None else one.row.name,
            "phase": None if one.row is None else one.row.phase,
        },
        "known": one.known,
        "adopted": one.adopted,
    }


def moment(text: str, *, now: datetime) -> datetime:
    """A time from an ISO date or time (UTC unless it says otherwise) or an age such as 7d or 12h. Raises InvalidInput
    (`InvalidTime`)."""
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except ValueError:
        pass
    try:
        if text[-1:].isalpha():
            return now - timedelta(seconds=Duration(text).seconds)
    except ValueError:
        pass
    raise InvalidInput(
        f'"{text}" is no time.',
        reason="InvalidTime",
        hint="Write a date or a time as ISO 8601 has it, such as 2026-11-20T09:00, or an age such as 7d or 12h.",
    )
