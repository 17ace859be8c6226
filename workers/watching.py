"""Task events for work that has no message of its own, so that Flower shows every stage of every job."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from celery import current_task, uuid
from kombu.exceptions import OperationalError

from qtasks.lifecycle import Stage
from qtasks.queue import level_name, task_name
from qtasks.store.claims import Claim
from workers.app import app

_dispatcher: Any = None
_pid = 0


@contextmanager
def carried_on(stage: Stage, claim: Claim) -> Iterator[None]:
    """Tell whoever watches that `claim` is at `stage` for the time of the block, in the worker's name."""
    first = claim.jobs[0]
    name = first.name if len(claim.jobs) == 1 else f"{first.name} and {len(claim.jobs) - 1} more"
    task = {"uuid": uuid(), "name": task_name(stage)}
    started = time.monotonic()
    _send(
        ("task-received", {**task, "args": f"({name}, {stage.value}, {level_name(first.priority)})", "kwargs": "{}"}),
        ("task-started", task),
    )
    try:
        yield
    except BaseException as error:
        _send(("task-failed", {**task, "exception": repr(type(error).__name__), "traceback": ""}))
        raise
    _send(("task-succeeded", {**task, "result": "None", "runtime": time.monotonic() - started}))


def _send(*events: tuple[str, dict[str, Any]]) -> None:
    # Nobody's work waits for a picture of it: without a broker there is none.
    with suppress(OperationalError, OSError):
        dispatcher = _this_process()
        for kind, fields in events:
            dispatcher.send(kind, retries=0, **fields)
        dispatcher.flush(errors=False)


def _this_process() -> Any:
    global _dispatcher, _pid
    if _pid != os.getpid():
        hostname = getattr(current_task.request, "hostname", None) if current_task else None
        _dispatcher = app.events.Dispatcher(
            app.connection_for_write(), hostname=hostname, buffer_group=frozenset({"task"}), buffer_limit=100
        )
        _pid = os.getpid()
    return _dispatcher
