"""What `apply` does beyond submitting: the account of each job, and the jobs file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtasks.access import Verb
from qtasks.client import collected, jobs_file
from qtasks.client.accounts import by_index, known
from qtasks.client.jobs_file import Entry
from qtasks.client.namespaces import own_namespace
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
        return namespace or own_namespace(job.metadata) or client.namespace

    direct = client._direct("Which account a job runs under")
    given: dict[tuple[str, str], str] = {}
    for space in sorted({where(job) for job in jobs}):
        direct.guard.may(Verb.SUBMIT, space)
    with direct.store.read() as tx:
        for space in {where(job) for job in jobs}:
            names = [job.metadata.name for job in jobs if job.metadata.name is not None and where(job) == space]
            for start in range(0, len(names), _CHUNK):
                ids = rows.ids_by_name(tx, space, names[start : start + _CHUNK])
                there = rows.get_all(tx, list(ids.values()))
                accounts = {row.name: row.resource["spec"].get("backend", {}).get("account") for row in there.values()}
                given |= {(space, name): account for name, account in accounts.items() if account is not None}
    return spread(jobs, lambda space: known(direct, space), namespace=where, given=given)


def under_index(client: Client, jobs: Sequence[QiskitJob], index: int, namespace: str | None) -> list[QiskitJob]:
    """The jobs, all under the account at this place in QTASKS_CONFIG. Raises NotFound (`NoSuchAccount`), Forbidden,
    InvalidInput (`WrongProvider`) or Conflict (`AccountGiven`)."""
    direct = client._direct("Which account a job runs under")
    config = direct.installation.config
    for space in sorted({namespace or own_namespace(job.metadata) or client.namespace for job in jobs}):
        direct.guard.may(Verb.SUBMIT, space)
    return [
        assigned(job, by_index(config, index, namespace or own_namespace(job.metadata) or client.namespace))
        for job in jobs
    ]


def write_lines(client: Client, submitted: Sequence[Job], path: Path) -> None:
    """Write a line for each job into a jobs file. Lines that are there stay; that of the same job is brought up to
    date."""
    ids = [job.job_id() for job in submitted]
    asked = [{"qtasks_job_id": job_id, "job_id": job_id} for job_id in ids]
    found = client._gateway.collect(asked, client.namespace)
    lines = {one.id: one.line for one in found if one is not None}

    def change(before: Sequence[Entry]) -> list[Entry]:
        left = dict(lines)
        kept = [
            collected.merged(entry, line) if (line := left.pop(str(entry.get("qtasks_job_id")), None)) else entry
            for entry in before
        ]
        return kept + [left[job_id] for job_id in ids if job_id in left]

    jobs_file.rewrite(path, change)
