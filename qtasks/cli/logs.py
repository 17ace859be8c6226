"""The command that tells what happened to a job, line by line: logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from qtasks.cli import terminal
from qtasks.cli.names import job as find
from qtasks.cli.nouns import name
from qtasks.cli.options import DEFAULT_NAMESPACE, Name, Namespace

Event = Mapping[str, Any]


def add_to(app: typer.Typer) -> None:
    """Put the command on `app`."""
    app.command()(logs)


def logs(
    what: Name,
    namespace: Namespace = DEFAULT_NAMESPACE,
    wait: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job is final.")] = False,
    since: Annotated[
        str | None, typer.Option(metavar="T", help="Only what happened since: an age such as 10m, or a time in UTC.")
    ] = None,
    tail: Annotated[int | None, typer.Option(metavar="N", min=0, help="Only the last N lines to begin with.")] = None,
    timestamps: Annotated[bool, typer.Option("--timestamps/--no-timestamps", help="The time of each line, in UTC.")] = (
        True
    ),
    previous: Annotated[
        bool, typer.Option("--previous", "-p", help="Of the attempt before the latest one, when a job was retried.")
    ] = False,
) -> None:
    """Show what happened to a job, and what its source printed.

    A line for each event. A job with `spec.debug: true` has lines of level DEBUG as well: what was compiled and how
    long it took, method, seeds, batch, and what was asked of its provider.

    Examples:

    - `qtasks logs -f my-quantum-job`

    - `qtasks logs my-quantum-job --since 10m --tail 20`

    - `qtasks logs my-quantum-job --previous`
    """
    from qtasks.cli.ages import now
    from qtasks.cli.follow import follow
    from qtasks.cli.report import log_line
    from qtasks.client.recovery import moment

    start = None if since is None else moment(since, now=now())
    wanted = name(what)
    with terminal.client(namespace) as client:
        job = find(client, wanted)
        found = client.events(job.job_id())
        last = found[-1]["id"] if found else 0
        for event in chosen(found, since=start, tail=tail, previous=previous):
            terminal.write(log_line(event, timestamps=timestamps))
        if wait and not previous:
            follow(client, job, lambda event: terminal.write(log_line(event, timestamps=timestamps)), after=last)


def chosen(
    events: Sequence[Event], *, since: datetime | None = None, tail: int | None = None, previous: bool = False
) -> Sequence[Event]:
    """Those of the events that are wanted; of an attempt that there was not, none."""
    from qtasks.cli.ages import when

    if previous:
        latest = max((event["attempt"] for event in events), default=0)
        events = [event for event in events if event["attempt"] == latest - 1]
    if since is not None:
        events = [event for event in events if when(event["time"]) >= since]
    return events if tail is None else events[len(events) - min(tail, len(events)) :]
