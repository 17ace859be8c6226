"""The commands that wait for jobs and end them, and the one that says what is installed: wait, cancel, version."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from qtasks.cli import terminal
from qtasks.cli.follow import progress
from qtasks.cli.nouns import Kind, names, only_noun
from qtasks.cli.options import DEFAULT_NAMESPACE, Names, Namespace, Selector, seconds_of
from qtasks.errors import InvalidInput, JobFailed
from qtasks.lifecycle import Phase

if TYPE_CHECKING:
    from qtasks.client import Client, Job

_PAGE = 1000


class Until(StrEnum):
    """What may be waited for."""

    COMPLETED = "Completed"
    FINAL = "final"


def add_to(app: typer.Typer) -> None:
    """Put these commands on `app`."""
    for command in (wait, cancel, version):
        app.command()(command)


def wait(
    what: Names,
    namespace: Namespace = DEFAULT_NAMESPACE,
    until: Annotated[
        Until,
        typer.Option(
            "--for", case_sensitive=False, help="Completed: the exit code is 1 when a job ends otherwise; final: 0."
        ),
    ] = Until.COMPLETED,
    timeout: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="How long to wait, such as 60s or 1h30m; no limit when absent."),
    ] = None,
) -> None:
    """Wait until jobs are final.

    Example: `qtasks wait my-quantum-job other-job --timeout 60s`
    """
    seconds = None if timeout is None else seconds_of("--timeout", timeout)
    wanted = names(what)
    ended: dict[str, Phase] = {}
    with terminal.client(namespace) as client:
        jobs = [client.job(each) for each in wanted]
        by_id = {job.job_id(): job for job in jobs}
        with progress(len(by_id)) as (show, advance):

            def note(job_id: str, phase: Phase) -> None:
                if phase.final and job_id not in ended:
                    ended[job_id] = phase
                    show(f"qiskitjob/{by_id[job_id].name} {phase.value}")
                    advance()

            client.wait(jobs, timeout=seconds, seen=note)
    bad = [by_id[job_id].name for job_id, phase in ended.items() if phase is not Phase.COMPLETED]
    if bad and until is Until.COMPLETED:
        raise JobFailed(
            f"{len(bad)} of {len(by_id)} jobs did not complete: {', '.join(bad[:3])}{', …' if len(bad) > 3 else ''}."
            if len(by_id) > 1
            else f"Job {bad[0]} did not complete.",
            hint=f"`qtasks describe {bad[0]}` says why.",
        )


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
    wanted = names(words) if words else []
    with terminal.client(namespace) as client:
        jobs = [client.job(each) for each in wanted] if words else _open_jobs(client, selector)
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
    found = []
    for phase in Phase:
        before: str | None = None
        while not phase.final:
            rows = client.rows(phase=phase, labels=selector, limit=_PAGE, before=before)
            found += [client.job(row.id) for row in rows]
            if len(rows) < _PAGE:
                break
            before = rows[-1].id
    # One that moved on meanwhile was found twice.
    return list({job.job_id(): job for job in found}.values())


def version() -> None:
    """Show the versions of qtasks and Qiskit.

    Example: `qtasks version`
    """
    from qtasks.results import versions

    found = versions()
    for package in ("qtasks", *sorted(set(found) - {"qtasks"})):
        terminal.write(f"{package} {found[package]}\n")
