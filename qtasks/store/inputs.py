"""What was fetched for a job, kept with it: written once, by whoever holds the job, before anything is done with it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from qtasks.lifecycle import ENTRY
from qtasks.store.claims import Claim, guard
from qtasks.store.records import Event, record
from qtasks.store.tables import inputs, jobs


@dataclass(frozen=True, slots=True)
class FetchedInput:
    """A circuit that came from elsewhere: its bytes, or the key of the object that holds them, and their history."""

    format: str
    data: bytes | None
    object_key: str | None
    sha256: str
    origin: str
    git_commit: str | None


def keep(tx: Connection, claim: Claim, job_id: str, fetched: FetchedInput, *, event: Event) -> bool:
    """Write down what was fetched for a job that `claim` holds; whether it was still held, and had no circuit yet.

    Its commit in Git takes the place of the one noted at submission, which is of the submitter's own folder.
    """
    # The row is locked: who takes the job over in the meantime waits, and then finds the circuit there.
    held = select(jobs.c.id).where(guard(claim, [job_id]), jobs.c.phase == ENTRY[claim.stage].value).with_for_update()
    if tx.execute(held).first() is None:
        return False
    values = {
        "format": fetched.format,
        "data": fetched.data,
        "object_key": fetched.object_key,
        "sha256": fetched.sha256,
        "origin": fetched.origin,
    }
    if fetched.git_commit is not None:
        values["git_commit"] = fetched.git_commit
    missing = (inputs.c.job_id == job_id) & inputs.c.data.is_(None) & inputs.c.object_key.is_(None)
    if tx.execute(update(inputs).where(missing).values(**values)).rowcount != 1:
        return False
    record(tx, [job_id], event, source=claim.owner)
    return True
