"""Waiting for jobs while somebody looks on: each event is told once, as it comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from qtasks.cli import terminal
from qtasks.lifecycle import ConditionType, Phase

if TYPE_CHECKING:
    from rich.console import Console

    from qtasks.client import Client, Job

Event = Mapping[str, Any]

_DELIVERY_SECONDS = 5.0
_LOOK_SECONDS = 0.05


def follow(client: Client, job: Job, tell: Callable[[Event], None], *, after: int = 0) -> Phase:
    """Wait until `job` is final; `tell` gets each of its events since number `after`, in order. Returns the phase."""
    last = after

    def news(*_: object) -> None:
        nonlocal last
        for event in client.events(job.job_id(), after=last):
            last = event["id"]
            tell(event)

    phase = job.wait_for_final_state(seen=news)
    news()
    return phase


def delivery(client: Client, job: Job) -> Mapping[str, Any] | None:
    """The condition that says whether the output of a Completed job was delivered; it comes after the phase, so wait
    a few seconds for it. None when there is none yet."""
    deadline = time.monotonic() + _DELIVERY_SECONDS
    while True:
        for condition in client.describe(job.job_id())["status"]["conditions"]:
            if condition["type"] == ConditionType.OUTPUT_DELIVERED:
                return dict(condition)
        if time.monotonic() > deadline:
            return None
        time.sleep(_LOOK_SECONDS)


@contextmanager
def elapsed(out: Console, what: str) -> Iterator[Callable[[str], None]]:
    """On a terminal, a last line with a spinner, `what`, and the seconds gone by, until the block is left.

    Gives a function that changes what it says; lines printed to `out` meanwhile stand above it.
    """
    if not out.is_terminal or out.is_dumb_terminal:
        yield lambda _what: None
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=out, transient=True) as shown:
        task = shown.add_task(what, total=None)
        yield lambda what: shown.update(task, description=what)


@contextmanager
def progress(total: int) -> Iterator[tuple[Callable[[str], None], Callable[[], None]]]:
    """A way to print a line, and one to say that one more is done: with a bar below the lines on a terminal."""
    out = terminal.console()
    if not out.is_terminal or out.is_dumb_terminal:
        yield (lambda line: terminal.write(f"{line}\n")), (lambda: None)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TimeElapsedColumn

    with Progress(
        SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=out, transient=True
    ) as bar:
        task = bar.add_task("", total=total)
        yield out.print, (lambda: bar.advance(task))
