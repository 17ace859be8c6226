"""The worker's side of the sandbox: circuits in, checked circuits or reasons out. Imports no Qiskit."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from qtasks.circuits.formats import PYTHON
from qtasks.circuits.sandbox import answers, items
from qtasks.circuits.sandbox.answers import Checked, Limits, Rejected, Source
from qtasks.circuits.sandbox.conversation import Conversation, End, ServerLost
from qtasks.circuits.sandbox.interpreters import Interpreters
from qtasks.circuits.sandbox.items import Item
from qtasks.circuits.sandbox.process import WarmProcess
from qtasks.errors import Unavailable
from qtasks.settings import Settings
from qtasks.telemetry import metrics

_TRIES = 3
_FLUSH_SECONDS = 0.005
_AT_ONCE = 4
"""Children for Python sources of one call at a time."""


class Sandbox:
    """Reads circuits in children of a warm process; one object may be used by many threads and forked processes.

    Starts the warm process (`settings.sandbox_socket` empty) or uses one that runs elsewhere. Each request is one
    connection, so nothing is shared between processes but the socket's path. A process that died is started again.

    `unconfined`: a new interpreter for each request, with none of the sandbox's layers. That is what `settings` allow
    on other platforms than Linux, for users who run their own sources.
    """

    def __init__(self, settings: Settings | None = None, *, spares: int = 2, unconfined: bool | None = None) -> None:
        permissive = settings is not None and settings.sandbox_permissive
        address = settings.sandbox_socket if settings else None
        if unconfined is None:
            unconfined = sys.platform != "linux" and permissive and address is None
        self._process = Interpreters() if unconfined else WarmProcess(address, spares=spares, permissive=permissive)
        self._memory = settings.sandbox_memory if settings else None

    def __enter__(self) -> Sandbox:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Starts the warm process and returns at once: the first requests wait for it (about a second).

        Raises Unavailable: `SandboxUnavailable` where it cannot be started, `SandboxIncomplete` where the platform
        lacks a layer and QTASKS_SANDBOX does not permit that.
        """
        self._process.start()

    def close(self) -> None:
        """Ends the warm process that this process started, and with it all of its children. May be called twice."""
        self._process.close()

    @property
    def address(self) -> Path | None:
        """The socket of the warm process, once it was started; None where there is none."""
        return self._process.address if isinstance(self._process, WarmProcess) else None

    def check(self, requests: Sequence[Source], limits: Limits | None = None) -> list[Checked | Rejected]:
        """Each source's answer, in the same order. **All sources of one call must be of one namespace**: QPY and
        OpenQASM share a child, and what Qiskit makes of hostile QPY there may touch its neighbours' answers.

        A Python source has a child of its own. What came from Python or QPY is read again by a second, fresh child,
        whose QPY, analysis and fingerprint are the ones returned. When a child dies, only the source that it was
        reading is to blame; the others go on in a new one.

        Raises Unavailable (`SandboxUnavailable`) when the warm process cannot be reached or started.
        """
        limits = limits or self._default_limits()
        asked = [items.item(source, limits) for source in requests]
        waiting = [item for item in asked if item.answer is None]
        alone = [item for item in waiting if item.format == PYTHON]
        shared = [item for item in waiting if item.format != PYTHON]
        if alone and len(waiting) == 1:
            self._run_and_verify(alone[0], limits)
        elif alone:
            with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="qtasks-sandbox") as pool:
                list(pool.map(lambda item: self._run([item], limits), alone))
        if shared:
            self._run(shared, limits)
        verified = [item for item in waiting if item.answer is None]
        for item in verified:
            item.verify()
        if verified:
            self._run(verified, limits)
        return [self._told(item) for item in asked]

    def _told(self, item: Item) -> Checked | Rejected:
        """An item's answer; a source's with a note where it ran without a layer of the sandbox."""
        assert item.answer is not None, "every item has been answered or refused"
        if not self._process.lacking or item.source_format != PYTHON:
            return item.answer
        note = f"This source ran without a layer of the sandbox. {' '.join(self._process.lacking)}"
        return replace(item.answer, notes=(*item.answer.notes, note))

    def _default_limits(self) -> Limits:
        if not self._memory:
            return Limits()
        from qtasks.resources import Quantity

        return Limits(memory_bytes=Quantity(self._memory).bytes)

    def _run_and_verify(self, item: Item, limits: Limits) -> None:
        """A lone source. The child that is to verify its answer gets ready while the first one works: 2 ms saved."""
        first: Conversation | None
        second: Conversation | None
        with ExitStack() as open_ones:
            try:
                first = open_ones.enter_context(Conversation(self._process, limits, 1))
                second = open_ones.enter_context(Conversation(self._process, limits, 1, ahead=2 * limits.wall_seconds))
            except ServerLost:
                first = second = None
            self._run([item], limits, first)
            if item.answer is None:
                item.verify()
                self._run([item], limits, second)

    def _run(self, waiting: list[Item], limits: Limits, ready: Conversation | None = None) -> None:
        """Gives every item its answer, or its QPY: one child for all, and after each death one for what is left.

        `ready`: the first child, where it has been asked for already.
        """
        lost = 0
        flush = _FLUSH_SECONDS
        while waiting:
            try:
                with ready or Conversation(self._process, limits, len(waiting), flush=flush) as child:
                    ready = None
                    metrics.SANDBOX_STARTS.count()
                    answered, end = child.hear(waiting)
            except ServerLost as error:
                ready = None
                lost += 1
                if lost < _TRIES:
                    continue
                if not error.started:
                    raise Unavailable(
                        "The sandbox's process ends as soon as it is started.",
                        reason="SandboxUnavailable",
                        hint="See `qtasks doctor`, and what it wrote to the worker's standard error.",
                    ) from None
                if len(waiting) > 1:  # one of them may be what kills it
                    for item in waiting:
                        self._run([item], limits)
                    return
                answered, end = 0, End("SandboxCrashed")
            _note_kills(waiting[:answered], end)
            if end is not None:
                culprit = waiting[answered]
                if end.certain or len(waiting) == 1:
                    culprit.answer = answers.rejected(culprit.source.id, end.reason, culprit.output, end.detail)
                else:  # what an earlier one did to the process may have killed it: its own child will tell
                    self._run([culprit], limits)
                answered += 1
                flush = 0.0  # from now on it must be seen which one was being read
            waiting = waiting[answered:]


def _note_kills(answered: Sequence[Item], end: End | None) -> None:
    """A child that has no memory left says so, and is not killed for it."""
    full = sum(isinstance(item.answer, Rejected) and item.answer.reason == "SandboxMemory" for item in answered)
    if full:
        metrics.SANDBOX_KILLS.count(full, layer="memory")
    if end is not None:
        metrics.SANDBOX_KILLS.count(layer=end.layer)
