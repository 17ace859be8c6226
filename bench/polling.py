"""Polling: a visit to an account at which thousands of jobs wait, beside asking its provider for each of them."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from datetime import timedelta
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

from sqlalchemy import insert, text

from bench.figures import Figure, bounded, compared
from bench.system import System
from qtasks.backends.protocol import RemoteBackend
from qtasks.config import Account
from qtasks.lifecycle import Phase, Queue
from qtasks.stages.remote.visits import poll
from qtasks.stages.worker import Identity, Worker
from qtasks.store import accounts, provider_jobs
from qtasks.store.ids import new_id
from qtasks.store.tables import jobs
from qtasks.store.tables import provider_jobs as rows
from qtasks.store.types import moment
from tests.support.ibm_server import IBMServer
from tests.support.remote import account, write_accounts

_ASKED_SINGLY = 200
"""The peer asks for so many, and is multiplied."""
_WAITED_SECONDS = 60.0
_COMPILED = {
    "device": "ibm_lagos",
    "format": "qpy",
    "calibration": "c" * 64,
    "registers": [["meas", 2]],
    "num_clbits": 2,
    "clbits": None,
    "depth": 7,
    "gates": {"rz": 4, "sx": 2, "cx": 1, "measure": 2, "barrier": 1},
    "two_qubit_gates": 1,
    "seconds": 0.05,
}


def run(system: System) -> list[Figure]:
    """One account of IBM Quantum on Postgres: requests and seconds of a round, and when the next is due."""
    many = 2_000 if system.options.quick else 10_000
    with _Provider(many) as provider:
        poller = _Poller(system, provider)
        _round(poller, provider)  # logs in
        rounds = [(*_singly(poller, provider), *_round(poller, provider)) for _ in range(system.options.rounds)]
        due = poller.due_seconds()
        poller.close()
    factor = many / _ASKED_SINGLY
    peer = f"a GET for each, {_ASKED_SINGLY} of them extrapolated"
    requests = [(singly * factor, ours) for singly, _, ours, *_ in rounds]
    seconds = [(singly * factor, ours) for _, singly, _, ours, *_ in rounds]
    title = f"a round of {many:,} jobs"
    return [
        compared("polling", title, "requests", requests, peer_is=peer, most=0.01),
        compared("polling", title, "s", seconds, peer_is=peer, most=0.1),
        _of(f"{title}: without the provider's part", "s", [apart for *_, apart, _ in rounds], most=2.0),
        _of(f"{title}: processor time of the poller", "s", [used for *_, used in rounds]),
        _of(f"{title}: due again in", "s", [due]),
    ]


def _of(what: str, unit: str, values: Sequence[float], *, most: float | None = None) -> Figure:
    return bounded("polling", what, unit, median(values), most=most, of=values)


def _round(poller: _Poller, provider: _Provider) -> tuple[float, ...]:
    """Requests, seconds, seconds not spent in asking where the jobs stand, and processor seconds of a visit."""
    before = provider.count()
    processor = time.process_time()
    seconds, asking = poller.visit()
    used = time.process_time() - processor
    return provider.count() - before, seconds, seconds - asking, used


def _singly(poller: _Poller, provider: _Provider) -> tuple[float, ...]:
    """Requests and seconds of asking for a few jobs one by one, through the same client."""
    before = provider.count()
    started = time.perf_counter()
    for one in provider.ids[:: len(provider.ids) // _ASKED_SINGLY][:_ASKED_SINGLY]:
        poller.ask([one])
    return provider.count() - before, time.perf_counter() - started


class _Poller:
    """A worker whose account has all of the provider's jobs; no other process of qtasks runs."""

    def __init__(self, system: System, provider: _Provider) -> None:
        folder = system.folder / "polling"
        folder.mkdir()
        values = write_accounts(folder, account("lab", "ibm", provider.account), secrets={"ibm": provider.secret})
        stack = system.stack("polling_home", redis_database=10, **values)
        self._worker = Worker.open(stack.settings, Identity.of(stack.settings, "bench", (Queue.POLLING,), folder))
        self._jobs = len(provider.ids)
        self._asking = 0.0
        _jobs_at(self._worker, provider.ids)
        (configured,) = self._worker.config.accounts
        self._watch(configured)

    def _watch(self, configured: Account) -> None:
        """Take the time of the one bulk question of a visit."""
        self._backend: RemoteBackend = self._worker.provider(configured)
        ask = self._backend.statuses

        def timed(*given: Any, **named: Any) -> Any:
            started = time.perf_counter()
            found = ask(*given, **named)
            self._asking += time.perf_counter() - started
            return found

        self._backend.statuses = timed  # type: ignore[method-assign]

    def ask(self, ids: list[str]) -> None:
        with self._worker.store.read() as tx:
            row = accounts.get(tx, "lab")
        assert row is not None
        since = row.now - timedelta(seconds=2 * _WAITED_SECONDS)
        found = self._backend.statuses(ids, since=since)
        assert not any(job.state.final for job in found.values())

    def visit(self) -> tuple[float, float]:
        """Seconds of a visit, and of those the seconds in which the provider was asked where the jobs stand."""
        with self._worker.store.begin() as tx:
            accounts.wake(tx, ["lab"])
        self._asking = 0.0
        started = time.perf_counter()
        visited = poll(self._worker)
        seconds = time.perf_counter() - started
        assert visited == ["lab"], f"visited {visited}"
        with self._worker.store.read() as tx:
            row = accounts.get(tx, "lab")
            assert row is not None and row.failures == 0, f"{row and row.message}"
            assert len(provider_jobs.open_at(tx, "lab")) == self._jobs
        return seconds, self._asking

    def due_seconds(self) -> float:
        with self._worker.store.read() as tx:
            row = accounts.get(tx, "lab")
        assert row is not None
        return float((row.due_at - row.now).total_seconds())

    def close(self) -> None:
        self._worker.close()


def _jobs_at(worker: Worker, ids: Sequence[str]) -> None:
    """A job that waits at its provider for each of the provider's ids."""
    since = moment(-_WAITED_SECONDS)
    with worker.store.begin() as tx:
        accounts.ensure(tx, "lab", "ibm_quantum")
        ours = [new_id() for _ in ids]
        common = {"namespace": "default", "priority": 6, "phase": Phase.RUNNING.value, "batchable": False}
        tx.execute(
            insert(jobs).values(created_at=since, started_at=since),
            [{"id": one, "name": one, "account": "lab", "shots": 1024, **common} for one in ours],
        )
        place = {"attempt": 1, "account": "lab", "device": "ibm_lagos", "state": "queued", "compiled": _COMPILED}
        tx.execute(
            insert(rows).values(intended_at=since, tried_at=since, submitted_at=since),
            [
                {"job_id": one, "tag": provider_jobs.tag_of(one, 1), "provider_job_id": theirs, **place}
                for one, theirs in zip(ours, ids, strict=True)
            ],
        )
    with worker.store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


class _Provider:
    """A loopback IBM Quantum in a process of its own, where so many jobs wait that were tagged by qtasks."""

    def __init__(self, number: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, number))

    def __enter__(self) -> _Provider:
        self._process.start()
        self.account: dict[str, Any]
        self.secret: dict[str, str]
        self.ids: list[str]
        self.account, self.secret, self.ids = self._pipe.recv()
        return self

    def count(self) -> int:
        """Requests so far."""
        self._pipe.send("count")
        return int(self._pipe.recv())

    def __exit__(self, *_: object) -> None:
        self._pipe.send(None)
        self._process.join(30)
        self._process.close()
        self._pipe.close()


def _serve(pipe: Connection, number: int) -> None:
    with IBMServer(devices=("lagos",)) as server:
        pipe.send((server.account(), server.secret(), server.add_jobs(number, "bench")))
        while pipe.recv() is not None:
            pipe.send(server.count())
