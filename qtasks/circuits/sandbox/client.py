"""The worker's side of the sandbox: circuits in, checked circuits or reasons out. Imports no Qiskit."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from qtasks.circuits.errors import CircuitError
from qtasks.circuits.formats import FORMATS, PYTHON, QASM3, QPY, detect
from qtasks.circuits.sandbox import answers, wire
from qtasks.circuits.sandbox.answers import Bad, Checked, Good, Limits, Rejected, Source
from qtasks.circuits.sandbox.process import START_SECONDS, WarmProcess
from qtasks.errors import Unavailable
from qtasks.settings import Settings

_GRACE_SECONDS = 0.5
_TRIES = 3


_FLUSH_SECONDS = 0.005
_AT_ONCE = 4
"""Children for Python sources of one call at a time."""


class _ServerLost(Exception):
    """The warm process ended while it had a request, before or after it had `started` on it."""

    def __init__(self, *, started: bool) -> None:
        super().__init__()
        self.started = started


@dataclass(frozen=True, slots=True)
class _End:
    """How a child ended early; `certain` when that is surely the doing of the item that it was reading."""

    reason: str
    detail: str = ""
    certain: bool = False


@dataclass(slots=True)
class _Item:
    source: Source
    format: str
    data: bytes
    analyse: bool
    answer: Checked | Rejected | None = None
    qpy: bytes = field(default=b"")
    output: str = ""


class Sandbox:
    """Reads circuits in children of a warm process; one object may be used by many threads and forked processes.

    Starts the warm process (`settings.sandbox_socket` empty) or uses one that runs elsewhere. Each request is one
    connection, so nothing is shared between processes but the socket's path. A process that died is started again.
    """

    def __init__(self, settings: Settings | None = None, *, spares: int = 2) -> None:
        self._process = WarmProcess(settings.sandbox_socket if settings else None, spares=spares)
        self._memory = settings.sandbox_memory if settings else None

    def __enter__(self) -> Sandbox:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Starts the warm process and returns at once: the first requests wait for it (about a second).

        Raises Unavailable (`SandboxUnavailable`) where it cannot be started.
        """
        self._process.start()

    def close(self) -> None:
        """Ends the warm process that this process started, and with it all of its children. May be called twice."""
        self._process.close()

    def check(self, requests: Sequence[Source], limits: Limits | None = None) -> list[Checked | Rejected]:
        """Each source's answer, in the same order. **All sources of one call must be of one namespace**: QPY and
        OpenQASM share a child, and what Qiskit makes of hostile QPY there may touch its neighbours' answers.

        A Python source has a child of its own. What came from Python or QPY is read again by a second, fresh child,
        whose QPY, analysis and fingerprint are the ones returned. When a child dies, only the source that it was
        reading is to blame; the others go on in a new one.

        Raises Unavailable (`SandboxUnavailable`) when the warm process cannot be reached or started.
        """
        limits = limits or self._default_limits()
        items = [_item(source, limits) for source in requests]
        waiting = [item for item in items if item.answer is None]
        alone = [item for item in waiting if item.format == PYTHON]
        if len(alone) == 1:
            self._run(alone, limits)
        elif alone:
            with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="qtasks-sandbox") as pool:
                list(pool.map(lambda item: self._run([item], limits), alone))
        if shared := [item for item in waiting if item.format != PYTHON]:
            self._run(shared, limits)
        verified = [item for item in waiting if item.answer is None]
        for item in verified:
            item.format, item.data, item.analyse = QPY, item.qpy, True
        if verified:
            self._run(verified, limits)
        done = [item.answer for item in items]
        return [answer for answer in done if answer is not None]

    def _default_limits(self) -> Limits:
        if not self._memory:
            return Limits()
        from qtasks.resources import Quantity

        return Limits(memory_bytes=Quantity(self._memory).bytes)

    def _run(self, items: list[_Item], limits: Limits) -> None:
        """Gives every item its answer, or its QPY: one child for all, and after each death one for what is left."""
        lost = 0
        flush = _FLUSH_SECONDS
        while items:
            try:
                answered, end = self._request(items, limits, flush)
            except _ServerLost as error:
                lost += 1
                if lost < _TRIES:
                    continue
                if not error.started:
                    raise Unavailable(
                        "The sandbox's process ends as soon as it is started.",
                        reason="SandboxUnavailable",
                        hint="See what it wrote to the worker's standard error.",
                    ) from None
                if len(items) > 1:  # one of them may be what kills it
                    for item in items:
                        self._run([item], limits)
                    return
                answered, end = 0, _End("SandboxCrashed")
            if end is not None:
                culprit = items[answered]
                if end.certain or len(items) == 1:
                    culprit.answer = answers.rejected(culprit.source.id, end.reason, culprit.output, end.detail)
                else:  # what an earlier one did to the process may have killed it: its own child will tell
                    self._run([culprit], limits)
                answered += 1
                flush = 0.0  # from now on it must be seen which one was being read
            items = items[answered:]

    def _request(self, items: list[_Item], limits: Limits, flush: float) -> tuple[int, _End | None]:
        """One child. Returns how many items it answered, and how it ended if it did not answer them all.

        Raises _ServerLost.
        """
        ours, theirs = socket.socketpair()
        with ours, theirs, self._process.connect() as server:
            seconds = (limits.wall_seconds + _GRACE_SECONDS) * len(items) - _GRACE_SECONDS
            head = {
                "wall": seconds,
                "cpu": (limits.cpu_seconds or limits.wall_seconds) * len(items),
                "memory": limits.memory_bytes,
                "output": limits.output_bytes,
                "operations": limits.operations,
                "reseed": any(item.format in (PYTHON, QASM3) for item in items),
                "flush": flush,
            }
            try:
                socket.send_fds(server, [json.dumps(head).encode()], [theirs.fileno()])
                theirs.close()
                server.settimeout(START_SECONDS)
                _status(server)
            except TimeoutError:
                raise Unavailable(
                    f"The sandbox gave no process within {START_SECONDS:g} s.",
                    reason="SandboxUnavailable",
                    hint="It is full or stuck: run more workers, or restart it.",
                ) from None
            except (OSError, EOFError):
                raise _ServerLost(started=False) from None
            return self._converse(ours, server, items, limits)

    def _converse(
        self, pipe: socket.socket, server: socket.socket, items: list[_Item], limits: Limits
    ) -> tuple[int, _End | None]:
        patience = limits.wall_seconds + _GRACE_SECONDS
        reader = wire.Reader(pipe)
        answered = 0
        try:
            pipe.settimeout(patience)
            wanted = [_wanted(index, item) for index, item in enumerate(items)]
            pipe.sendall(wire.frame({"items": wanted}, *[item.data for item in items]))
            for index, item in enumerate(items):
                header, qpy = reader.frame(max_body=limits.output_bytes, deadline=time.monotonic() + patience)
                if not _take(item, index, header, qpy):
                    return answered, _End("SandboxCrashed")
                answered += 1
            return answered, None
        except TimeoutError:
            return answered, _End("ValidationTimeout", certain=True)  # closing the connection kills the child
        except wire.BrokenFrame:
            return answered, _End("SandboxCrashed")
        except (OSError, EOFError):
            return answered, _why(server)


def _item(source: Source, limits: Limits) -> _Item:
    item = _Item(source, "", source.data, False)
    if len(source.data) > limits.input_bytes:
        item.answer = Rejected(
            source.id,
            "TooLarge",
            f"The circuit is {len(source.data):,} bytes long; {limits.input_bytes:,} are allowed.",
            "Submit it as QPY, or split it.",
        )
        return item
    try:
        item.format = source.format or detect(source.data)
    except CircuitError as error:
        item.answer = Rejected(source.id, **error.as_data())
        return item
    if item.format not in FORMATS:
        item.answer = Rejected(
            source.id,
            "UnsupportedFormat",
            f"The format {item.format[:40]!r} is not known.",
            f"One of: {', '.join(FORMATS)}.",
        )
    item.analyse = item.format not in (PYTHON, QPY)
    return item


def _wanted(index: int, item: _Item) -> dict[str, object]:
    first = item.data is item.source.data
    return {
        "id": index,
        "format": item.format,
        "size": len(item.data),
        "parameters": dict(item.source.parameters or {}) if first else {},
        "analyse": item.analyse,
        "measured": item.source.measured,
        "bound": item.source.bound,
    }


def _take(item: _Item, index: int, header: bytes, qpy: bytes) -> bool:
    """Puts a child's answer into its item; False when the answer is not what a child of ours would say."""
    answer = answers.parse(header)
    if answer is None or answer.id != index:
        return False
    output = item.output or answer.output
    if isinstance(answer, Bad):
        item.answer = answers.refused(item.source.id, answer.error, output)
        return True
    return _good(item, answer, qpy, output)


def _good(item: _Item, answer: Good, qpy: bytes, output: str) -> bool:
    if not qpy.startswith(b"QISKIT"):
        return False
    item.output = output
    if not item.analyse:
        item.qpy = qpy
        return True
    if answer.analysis is None or answer.fingerprint is None:
        return False
    item.answer = Checked(item.source.id, qpy, answer.analysis, answer.fingerprint, output)
    return True


def _status(server: socket.socket) -> dict[str, object]:
    message = server.recv(4096)
    if not message:
        raise EOFError
    return dict(json.loads(message))


def _why(server: socket.socket) -> _End:
    """Why a child ended, as the server tells it. Raises _ServerLost when the server is gone as well."""
    try:
        server.settimeout(10.0)
        status = _status(server)
    except (OSError, EOFError, ValueError):
        raise _ServerLost(started=True) from None
    number = status.get("signal")
    if status["status"] == "deadline" or number == signal.SIGXCPU:
        return _End("ValidationTimeout")
    if number == signal.SIGKILL:
        return _End("SandboxMemory")  # nobody else kills a child that is in time: the kernel was out of memory
    if isinstance(number, int):
        return _End("SandboxCrashed", f"The process that read the circuit died of {signal.Signals(number).name}.")
    return _End("SandboxCrashed", f"The process that read the circuit ended with exit code {status.get('code')}.")
