"""What `apply` does beyond submitting: the account of each job, and the jobs file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtasks.access import Verb
from qtasks.client import collected, jobs_file
from qtasks.client.accounts import by_index, known
from qtasks.client.jobs_file import Entry
from qtasks.client.spreading import assigned, spread
from qtasks.resources import QiskitJob
from qtasks.store import jobs as rows

if TYPE_CHECKING:
    from qtasks.client.client import Client
    from qtasks.client.job import Job

_CHUNK = 1000


def spread_over_accounts(client: Client, jobs: Sequence[QiskitJob], namespace: str | None) -> list[QiskitJob]:
    """The jobs, spread over all accounts of their provider: see `spreading.spread`."""

    def where(job: QiskitJob) -> str:
        return namespace or _own(job) or client.namespace

    given: dict[tuple[str, str], str] = {}
    for space in sorted({where(job) for job in jobs}):
        client._guard.may(Verb.SUBMIT, space)
    with client._store.read() as tx:
        for space in {where(job) for job in jobs}:
            names = [job.metadata.name for job in jobs if job.metadata.name is not None and where(job) == space]
            for start in range(0, len(names), _CHUNK):
                ids = rows.ids_by_name(tx, space, names[start : start + _CHUNK])
                there = rows.get_all(tx, list(ids.values()))
                accounts = {row.name: row.resource["spec"].get("backend", {}).get("account") for row in there.values()}
                given |= {(space, name): account for name, account in accounts.items() if account is not None}
    return spread(jobs, lambda space: known(client, space), namespace=where, given=given)


def under_index(client: Client, jobs: Sequence[QiskitJob], index: int, namespace: str | None) -> list[QiskitJob]:
    """The jobs, all under the account at this place in QTASKS_CONFIG. Raises NotFound (`NoSuchAccount`), Forbidden,
    InvalidInput (`WrongProvider`) or Conflict (`AccountGiven`)."""
    config = client._config
    for space in sorted({namespace or _own(job) or client.namespace for job in jobs}):
        client._guard.may(Verb.SUBMIT, space)
    return [assigned(job, by_index(config, index, namespace or _own(job) or client.namespace)) for job in jobs]


def _own(job: QiskitJob) -> str | None:
    metadata = job.metadata
    return metadata.namespace if "namespace" in metadata.model_fields_set else None


def write_lines(client: Client, submitted: Sequence[Job], path: Path) -> None:
    """Write a line for each job into a jobs file. Lines that are there stay; that of the same job is brought up to
    date."""
    names = [account.name for account in client._config.accounts]
    ids = [job.job_id() for job in submitted]
    client._guard.jobs(Verb.GET, ids)
    lines: dict[str, Entry] = {}
    with client._store.read() as tx:
        for start in range(0, len(ids), _CHUNK):
            found = rows.get_all(tx, ids[start : start + _CHUNK])
            lines |= {job_id: collected.line_of(row, names) for job_id, row in found.items()}

    def change(before: Sequence[Entry]) -> list[Entry]:
        left = dict(lines)
        kept = [
            collected.merged(entry, line) if (line := left.pop(str(entry.get("qtasks_job_id")), None)) else entry
            for entry in before
        ]
        return kept + [left[job_id] for job_id in ids if job_id in left]

    jobs_file.rewrite(path, change)
