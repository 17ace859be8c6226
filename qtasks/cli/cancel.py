"""The command that ends jobs: cancel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from qtasks.cli import names, terminal
from qtasks.cli.nouns import Kind, only_noun
from qtasks.cli.nouns import names as words_of
from qtasks.cli.options import DEFAULT_NAMESPACE, Namespace, Selector
from qtasks.cli.pages import every
from qtasks.errors import InvalidInput
from qtasks.lifecycle import Phase

if TYPE_CHECKING:
    from qtasks.client import Client, Job


def add_to(app: typer.Typer) -> None:
    """Put the command on `app`."""
    app.command()(cancel)


def cancel(
    what: Annotated[list[str] | None, typer.Argument(metavar="NAME|ID", help="Jobs, by name or id.")] = None,
    namespace: Namespace = DEFAULT_NAMESPACE,
    selector: Selector = None,
    everything: Annotated[bool, typer.Option("--all", help="All jobs of the namespace that are not final.")] = False,
) -> None:
    """Cancel jobs at whatever phase they are.

    Those that are final stay as they are.

    Examples:

    - `qtasks cancel my-quantum-job`

    - `qtasks cancel -l algorithm=vqe`
    """
    words = what or []
    chosen = bool(selector or everything)
    if chosen and only_noun(words, Kind.JOBS):
        words = []
    if bool(words) == chosen:
        raise InvalidInput("Say which jobs: give names or ids, or -l SELECTOR, or --all.")
    wanted = words_of(words) if words else []
    with terminal.client(namespace) as client:
        jobs = names.jobs(client, wanted) if words else _open_jobs(client, selector)
        with terminal.busy(f"Cancelling {len(jobs)} jobs…"):
            cancelled = {job.job_id() for job in client.cancel(jobs)} if jobs else set()
        for job in jobs:
            if job.job_id() in cancelled:
                terminal.write(f"qiskitjob/{job.name} cancelled\n")
            elif words:
                terminal.write(f"qiskitjob/{job.name} unchanged: it is {job.status().value}\n")
    if not jobs:
        terminal.note(f"No jobs to cancel in namespace {namespace}.")


def _open_jobs(client: Client, selector: str | None) -> Sequence[Job]:
    """The jobs that are not final, of any age."""
    from qtasks.client import Job

    found = [
        document["metadata"]
        for phase in Phase
        if not phase.final
        for document in every(client, phase=phase, labels=selector)
    ]
    # One that moved on meanwhile was found twice.
    return list({one["uid"]: Job(client, one["uid"], one["name"], one["namespace"]) for one in found}.values())
