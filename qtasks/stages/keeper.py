"""The lease keeper: a process beside a worker's pool that renews what living pool processes hold.

It also ends what must end: a process whose time limit ran out, or whose claim was cancelled or taken over while native
code runs; and it frees at once what a dead process held. Started by exec (`python -m qtasks.stages.keeper`), so that it
shares nothing with the simulations it watches.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import signal
import socket
import struct
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qtasks.errors import Unavailable
from qtasks.lifecycle import Phase, Queue, Stage
from qtasks.notify import Notifier
from qtasks.queue import Hint, Publisher
from qtasks.settings import Settings, settings
from qtasks.stages.keeper_pages import answer_probes
from qtasks.stages.pulse import Pulse
from qtasks.store import Store, claims, moves, upkeep
from qtasks.store.claims import Claim
from qtasks.store.records import Event
from qtasks.store.tables import jobs
from qtasks.telemetry import logs, metrics

_TICK_SECONDS = 0.5
_LOOK_SECONDS = 1.0
"""How often the keeper looks whether a claim was cancelled or taken over."""


@dataclass
class Holding:
    """What one pool process holds under one claim."""

    claim: Claim
    job_ids: list[str]
    kill_at: float | None
    missed: bool = False
    """The last look found nothing of it held. A process that is just finishing looks like that once."""


@dataclass
class Process:
    """A connected pool process."""

    connection: socket.socket
    pid: int
    pidfd: int
    buffer: bytes = b""
    holdings: dict[int, Holding] = field(default_factory=dict)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)


class Keeper:
    """Renews, frees and kills, by what the pool processes say and what the database answers."""

    def __init__(
        self, config: Settings, path: Path, worker: str, queues: list[Queue], memory: int, threads: int
    ) -> None:
        self._settings = config
        self._store = Store(config.database, pool_size=1)
        self._notifier = Notifier(config.broker)
        self._worker, self._queues, self._memory, self._threads = worker, queues, memory, threads
        self._parent = os.getppid()
        self._processes: dict[int, Process] = {}
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        path.unlink(missing_ok=True)
        self._listener.bind(str(path))
        path.chmod(0o600)
        self._listener.listen(128)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._renew_at = self._look_at = 0.0
        self.pulse: Pulse | None = None
        """What probes are told by, where there are any."""

    def run(self) -> None:
        """Serve until the worker is gone and the last pool process with work has finished it."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            for key, _ in self._selector.select(_TICK_SECONDS):
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._receive(self._processes[key.fd])
            orphaned = os.getppid() != self._parent
            if orphaned:
                self._end_idle()
                if not self._processes:
                    break
            with suppress(Unavailable):
                self._watch()
            self._note_progress()
        with suppress(Unavailable), self._store.begin() as tx:
            upkeep.retire_worker(tx, self._worker)

    def _note_progress(self) -> None:
        if self.pulse is None:
            return
        holdings = [holding for process in self._processes.values() for holding in process.holdings.values()]
        now = time.monotonic()
        self.pulse.turned.move()
        self.pulse.held = sum(len(holding.job_ids) for holding in holdings)
        self.pulse.overdue = max((now - h.kill_at for h in holdings if h.kill_at is not None), default=0.0)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setblocking(False)
        pid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            connection.close()
            return
        self._processes[connection.fileno()] = Process(connection, pid, pidfd)
        self._selector.register(connection, selectors.EVENT_READ)

    def _receive(self, process: Process) -> None:
        try:
            data = process.connection.recv(1 << 20)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._gone(process)
            return
        *lines, process.buffer = (process.buffer + data).split(b"\n")
        for line in lines:
            self._note(process, json.loads(line))

    def _note(self, process: Process, message: dict[str, Any]) -> None:
        if "drop" in message:
            process.holdings.pop(message["drop"], None)
            return
        claim = Claim(message["hold"], message["owner"], Stage(message["stage"]), ())
        limit = message["limit"]
        kill_at = time.monotonic() + limit if limit is not None else None
        process.holdings[claim.fence] = Holding(claim, message["jobs"], kill_at)

    def _gone(self, process: Process) -> None:
        """A pool process ended: what it held is free at once, without waiting for its lease."""
        self._selector.unregister(process.connection)
        del self._processes[process.connection.fileno()]
        process.connection.close()
        os.close(process.pidfd)
        for holding in process.holdings.values():
            with suppress(Unavailable):
                self._free(holding, "The process that worked on this job died.")

    def _free(self, holding: Holding, message: str) -> None:
        guard = claims.guard(holding.claim, holding.job_ids)
        with self._store.begin() as tx:
            together = len(holding.job_ids)
            freed = claims.lost(tx, guard, together=together, message=message, owner=holding.claim.owner)
            ended = upkeep.end_hopeless(
                tx, max_takeovers=self._settings.max_takeovers, where=jobs.c.id.in_(holding.job_ids)
            )
        metrics.LEASES_LOST.count(len(freed), cause="died")
        metrics.FAILURES.count(len(ended), reason="WorkerLost")
        self._notifier.tell(dict.fromkeys(ended, Phase.FAILED))
        if freed:
            self._hint(freed)

    def _hint(self, ids: list[str]) -> None:
        """Tell other workers of those of `ids` that wait."""
        with suppress(Unavailable):
            with self._store.read() as tx:
                waiting = claims.waiting_in(tx, ids)
            publisher = Publisher(self._settings.broker)
            for row in {(row.queue, row.priority): row for row in waiting}.values():
                publisher.suggest(Hint(Queue(row.queue), row.id, row.name, row.priority))
            publisher.close()

    def _watch(self) -> None:
        now = time.monotonic()
        for process in list(self._processes.values()):
            for holding in list(process.holdings.values()):
                if holding.kill_at is not None and now >= holding.kill_at:
                    self._overrun(process, holding)
        if now >= self._renew_at:
            self._renew_at = now + self._settings.heartbeat_seconds
            self._look_at = now + _LOOK_SECONDS
            self._report()
            self._compare(renew=True)
            if self.pulse is not None:
                self.pulse.renewed.move()
        elif now >= self._look_at:
            self._look_at = now + _LOOK_SECONDS
            self._compare(renew=False)

    def _report(self) -> None:
        with self._store.begin() as tx:
            upkeep.report_worker(tx, self._worker, queues=self._queues, memory=self._memory, threads=self._threads)

    def _compare(self, *, renew: bool) -> None:
        """Renew what is held, and kill a process none of whose claim is its own any more."""
        for process in list(self._processes.values()):
            held = [(job_id, h.claim.fence) for h in process.holdings.values() for job_id in h.job_ids]
            if not held:
                continue
            owner = next(iter(process.holdings.values())).claim.owner
            if renew:
                with self._store.begin() as tx:
                    kept = claims.renew(tx, owner, held, lease_seconds=self._settings.lease_seconds)
            else:
                with self._store.read() as tx:
                    kept = claims.still_held(tx, owner, held)
            self._receive_pending(process)
            for holding in list(process.holdings.values()):
                mine = {(job_id, holding.claim.fence) for job_id in holding.job_ids}
                if not mine <= set(held):
                    continue  # it began while the database was asked
                gone = holding.claim.stage is Stage.EXECUTION and not mine & kept
                if gone and holding.missed:
                    process.holdings.pop(holding.claim.fence)
                    process.kill()
                    metrics.PROCESSES_KILLED.count(cause="taken")
                    metrics.LEASES_LOST.count(len(holding.job_ids), cause="taken")
                holding.missed = gone

    def _receive_pending(self, process: Process) -> None:
        """Read what the process said meanwhile, so that one which just finished is not killed for it."""
        if process.connection.fileno() in self._processes:
            self._receive(process)

    def _overrun(self, process: Process, holding: Holding) -> None:
        """A time limit ran out: end the job, and the process that cannot be told to stop. A batch runs again singly,
        each job with its own limit."""
        if len(holding.job_ids) == 1:
            event = Event("ExecutionTimeout", "The simulation took longer than its time limit.", warning=True)
            with self._store.begin() as tx:
                ended = moves.finish(tx, holding.claim, holding.job_ids, Phase.FAILED, event=event)
            self._notifier.tell(dict.fromkeys(ended, Phase.FAILED))
            metrics.FAILURES.count(len(ended), reason=event.reason)
            process.holdings.pop(holding.claim.fence)
        process.kill()
        metrics.PROCESSES_KILLED.count(cause="limit")

    def _end_idle(self) -> None:
        for process in list(self._processes.values()):
            if not process.holdings:
                process.kill()


def main(arguments: list[str] | None = None) -> None:
    """Run the keeper of one worker."""
    parser = argparse.ArgumentParser(prog="python -m qtasks.stages.keeper", description=__doc__)
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--worker", required=True, help="name of the worker")
    parser.add_argument("--queues", required=True, help="comma-separated queues that it consumes")
    parser.add_argument("--memory", type=int, required=True, help="bytes")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--sandbox", type=Path, help="socket of the worker's sandbox, where it has one")
    given = parser.parse_args(arguments)
    logs.set_up("keeper")
    queues = [Queue(name) for name in given.queues.split(",")]
    keeper = Keeper(settings(), given.socket, given.worker, queues, given.memory, given.threads)
    keeper.pulse = answer_probes(settings(), given.socket.parent, given.sandbox)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    keeper.run()


if __name__ == "__main__":
    main()
