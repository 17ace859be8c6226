"""The command that waits for jobs: wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qtasks.cli import names, terminal
from qtasks.cli.follow import progress
from qtasks.cli.goals import FORMS, Goal, Sort, goal
from qtasks.cli.nouns import names as words_of
from qtasks.cli.options import DEFAULT_NAMESPACE, Names, Namespace, seconds_of
from qtasks.errors import JobFailed, WaitTimeout
from qtasks.lifecycle import Phase

if TYPE_CHECKING:
    from qtasks.client import Client, Job

_LOOK_SECONDS = 0.5
"""How often jobs are looked at."""
_LATE_LOOK_SECONDS = 0.2
"""The same for jobs that are final: what they lack is nearly there."""


def add_to(app: typer.Typer) -> None:
    """Put the command on `app`."""
    app.command()(wait)


def wait(
    what: Names,
    namespace: Namespace = DEFAULT_NAMESPACE,
    until: Annotated[str, typer.Option("--for", metavar="GOAL", help=f"{FORMS}.")] = Phase.COMPLETED.value,
    timeout: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="How long to wait, such as 60s or 1h30m; no limit when absent."),
    ] = None,
) -> None:
    """Wait until jobs are Completed, or until something else is true of each.

    A phase counts once a job is or was in it. The exit code is 1 as soon as a job can no longer get there, such as one
    that failed, and 5 when the time ran out.

    Examples:

    - `qtasks wait my-quantum-job other-job --timeout 60s`

    - `qtasks wait my-quantum-job --for=condition=OutputDelivered`

    - `qtasks wait my-quantum-job --for='jsonpath={.status.provider.jobId}'`
    """
    seconds = None if timeout is None else seconds_of("--timeout", timeout)
    wanted, aim = words_of(what), goal(until)
    missed: dict[str, Phase] = {}
    with terminal.client(namespace) as client:
        by_id = {job.job_id(): job for job in names.jobs(client, wanted)}
        with progress(len(by_id)) as (say, advance):

            def tell(job_id: str, phase: Phase, reached: bool) -> None:
                if not reached:
                    missed[job_id] = phase
                plain = phase.final and aim.sort in (Sort.FINAL, Sort.PHASE)
                word = phase.value if plain or not reached else f"{aim} met"
                say(f"qiskitjob/{by_id[job_id].name} {word}")
                advance()

            if aim.sort is Sort.FINAL or aim == Goal(Sort.PHASE, Phase.COMPLETED):
                _until_final(client, by_id, aim, seconds, tell)
            else:
                _until_met(client, by_id, aim, seconds, tell)
    if missed:
        raise _failure([by_id[job_id].name for job_id in missed], len(by_id), aim)


def _until_final(
    client: Client, by_id: Mapping[str, Job], aim: Goal, seconds: float | None, tell: Callable[[str, Phase, bool], None]
) -> None:
    told: set[str] = set()

    def note(job_id: str, phase: Phase) -> None:
        if phase.final and job_id not in told:
            told.add(job_id)
            tell(job_id, phase, aim.sort is Sort.FINAL or phase is Phase.COMPLETED)

    client.wait(list(by_id.values()), timeout=seconds, seen=note)


def _until_met(
    client: Client, by_id: Mapping[str, Job], aim: Goal, seconds: float | None, tell: Callable[[str, Phase, bool], None]
) -> None:
    deadline = None if seconds is None else time.monotonic() + seconds
    open_jobs = dict(by_id)
    final: set[str] = set()
    while True:
        for job_id in list(open_jobs):
            document = client.describe(job_id)
            phase = Phase(document["status"]["phase"])
            final |= {job_id} if phase.final else set()
            reached = aim.met(document, _passed(client, job_id) if aim.sort is Sort.PHASE else ())
            if reached or not aim.possible(document):
                del open_jobs[job_id]
                tell(job_id, phase, reached)
        if not open_jobs:
            return
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            late = sorted(job.name for job in open_jobs.values())
            raise WaitTimeout(
                f"Not {aim} after {seconds:g} s: {', '.join(late[:3])}{', …' if len(late) > 3 else ''}.",
                hint="The jobs go on; wait again, or look at `qtasks describe`.",
            )
        _pause(client, open_jobs, final, left)


def _passed(client: Client, job_id: str) -> set[Phase]:
    """The phases that a job has been in, as its events tell."""
    from qtasks.cli.report import step

    return {Phase(word) for event in client.events(job_id) if (word := step(event)) in list(Phase)}


def _pause(client: Client, open_jobs: Mapping[str, Job], final: Collection[str], left: float | None) -> None:
    """Wait a moment, or until all jobs are final."""
    moving = [job for job_id, job in open_jobs.items() if job_id not in final]
    if len(moving) < len(open_jobs):
        time.sleep(min(_LATE_LOOK_SECONDS, left or _LATE_LOOK_SECONDS))
        return
    with suppress(WaitTimeout):
        client.wait(moving, timeout=min(_LOOK_SECONDS, left or _LOOK_SECONDS))


def _failure(missed: Sequence[str], total: int, aim: Goal) -> JobFailed:
    completed: Any = aim == Goal(Sort.PHASE, Phase.COMPLETED)
    what = "did not complete" if completed else f"can no longer be {aim}"
    if total == 1:
        message = f"Job {missed[0]} {what}."
    else:
        message = f"{len(missed)} of {total} jobs {what}: {', '.join(missed[:3])}{', …' if len(missed) > 3 else ''}."
    return JobFailed(message, hint=f"`qtasks describe {missed[0]}` says why.")
