"""What lies behind a client that works on an installation of its own, for tests that look there."""

from __future__ import annotations

from typing import Any

from qtasks.client import Client, Job
from qtasks.client.direct import Direct
from qtasks.client.direct.looking import row_of
from qtasks.objects import ObjectStore
from qtasks.store import Store


def direct(client: Client) -> Direct:
    return client._direct("What lies behind it")


def store(client: Client) -> Store:
    return direct(client).store


def objects(client: Client) -> ObjectStore:
    return direct(client).installation.objects


def row(job: Job) -> Any:
    """The job's row, as `store.jobs.get` has it."""
    return row_of(direct(job._client), job.job_id())
