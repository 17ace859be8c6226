"""Twenty jobs at a provider that loses answers, under workers that are killed all the time: each is paid for once.

What happens when is drawn from QTASKS_CHAOS_SEED; the same number gives the same kills and faults, though not the same
moments in each process's work.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from qtasks.client import Client
from qtasks.client.job import Job
from qtasks.lifecycle import Phase
from qtasks.store import tables
from tests.support import insides
from tests.support.braket_server import SV1, BraketServer
from tests.support.house import QUICK
from tests.support.ibm_server import IBMServer
from tests.support.processes import pool_processes
from tests.support.remote import account, write_accounts
from tests.support.servers import Postgres, Redis, eventually
from tests.support.stack import Stack, own_namespace, shared_stack

pytestmark = [pytest.mark.system, pytest.mark.long]

SEED = int(os.environ.get("QTASKS_CHAOS_SEED", "1"))
BELL = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q -> c;'
JOBS = 20
CHAOS_SECONDS = 20.0
IN_THE_END_SECONDS = 150.0
FAULTS = 0.4
"""How often an answer is lost when a process is killed: each makes its account wait for ten seconds."""
VALUES = {
    **QUICK,
    "poll_seconds": 0.3,
    "poll_longest_seconds": 2.0,
    "doubt_seconds": 2.0,
    # Nothing is wrong with the jobs, however many processes die of these.
    "max_takeovers": 1000,
}
POLLERS = 0.12
"""How often it is a poller that is killed: seldom enough for those that are started instead to get to work."""
IBM_FAULTS = (
    ("POST", r"/jobs$"),
    ("POST", r"/jobs$"),
    ("GET", r"/jobs$"),
    ("GET", r"/results$"),
    ("GET", r"/jobs/[^/]+$"),
    ("POST", r"/identity/token$"),
)
BRAKET_FAULTS = (
    ("POST", r"^/quantum-task$"),
    ("POST", r"^/quantum-task$"),
    ("POST", r"^/quantum-tasks$"),
    ("GET", r"^/quantum-task/"),
    ("GET", r"^/device/"),
)


class Chaos:
    """Kills execution processes and whole pollers, and orders faults, until its time is over."""

    def __init__(self, stack: Stack, order: Callable[[random.Random], None]) -> None:
        self.killed: Counter[str] = Counter()
        self._random = random.Random(SEED)
        self._stack = stack
        self._order = order
        self._executor, *self._pollers = stack.processes[:3]
        self._over = time.monotonic() + CHAOS_SECONDS
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chaos")

    @contextmanager
    def reigning(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            self._thread.join(30)

    def wait(self) -> None:
        self._thread.join(CHAOS_SECONDS + 30)

    def _run(self) -> None:
        while time.monotonic() < self._over and not self._stopped.wait(self._random.uniform(0.3, 1.0)):
            if self._random.random() < FAULTS:
                self._order(self._random)
            if self._random.random() < POLLERS:
                self._kill_a_poller()
            else:
                self._kill_an_executor()

    def _kill_an_executor(self) -> None:
        pids = sorted(pool_processes(self._executor))
        if pids:
            with suppress(ProcessLookupError):
                os.kill(self._random.choice(pids), signal.SIGKILL)
            self.killed["executors"] += 1

    def _kill_a_poller(self) -> None:
        """A poller has no pool: it is its worker's only process, and whoever runs it starts another."""
        place = self._random.randrange(len(self._pollers))
        self._pollers[place].kill()
        self._pollers[place] = self._stack.run("worker", "--stages", "polling")
        self.killed["pollers"] += 1


@contextmanager
def stack_of(
    folder: Path, postgres: Postgres, redis_server: Redis, database: int, values: dict[str, Any]
) -> Iterator[Stack]:
    with shared_stack(folder, postgres, redis_server, database, concurrency=2, **VALUES, **values) as stack:
        for _ in range(2):
            stack.worker("polling")
        stack.run("beat")
        yield stack


def run(client: Client, server: IBMServer | BraketServer, chaos: Chaos, backend: dict[str, str]) -> list[Job]:
    """Submit jobs all the while, and wait until all have ended."""
    jobs = []
    with chaos.reigning():
        for _ in range(JOBS):
            jobs.append(client.submit(BELL, shots=100, backend=backend))
            # Not to be right, but to have something to kill at every moment.
            time.sleep(0.8 * CHAOS_SECONDS / JOBS)
        chaos.wait()
    server.clear_faults()

    def all_ended() -> bool:
        return all(job.status().final for job in jobs)

    with suppress(AssertionError):  # what is asserted below says more
        eventually(all_ended, seconds=IN_THE_END_SECONDS, what="the end of all jobs")
    return jobs


def each_is_paid_for_once(client: Client, jobs: Sequence[Job], made: dict[str, dict[str, bool]]) -> int:
    """Every job is Completed with one result, of the one provider job of its only attempt that was not cancelled.

    `made`: by tag the provider's jobs, and whether each was cancelled. Returns how many were made and cancelled.
    """
    assert Counter(job.status() for job in jobs) == {Phase.COMPLETED: len(jobs)}
    ids = [job.job_id() for job in jobs]
    with insides.store(client).read() as tx:
        rows = {row.job_id: row for row in tx.execute(select(tables.provider_jobs))}
        assert sorted(row.job_id for row in tx.execute(select(tables.results.c.job_id))) == sorted(ids)
        costs = {row.id: row.cost_micros for row in tx.execute(select(tables.jobs.c.id, tables.jobs.c.cost_micros))}
    # A death, a lost answer, a takeover: none of them is an attempt.
    assert set(made) == {f"qtasks-{job_id}-1" for job_id in ids}
    assert sorted(rows) == sorted(ids)
    for job_id, job in zip(ids, jobs, strict=True):
        at_provider = made[f"qtasks-{job_id}-1"]
        billed = [number for number, cancelled in at_provider.items() if not cancelled]
        assert len(billed) == 1, f"{job_id} is billed as {billed}"
        result = job.result(timeout=10)
        assert sum(result.get_counts().values()) == 100
        assert (result.provenance.provider_job_id, result.provenance.attempt) == (billed[0], 1)
        assert (rows[job_id].provider_job_id, rows[job_id].settled) == (billed[0], True)
        assert costs[job_id] == rows[job_id].cost_micros > 0
    return sum(sum(cancelled.values()) for cancelled in made.values())


def test_ibm_bills_every_job_once(
    tmp_path: Path, postgres: Postgres, redis_server: Redis, record_property: Callable[[str, object], None]
) -> None:
    with IBMServer(devices=("lagos",)) as server:

        def order(choice: random.Random) -> None:
            method, path = choice.choice(IBM_FAULTS)
            when = choice.choice(("before", "after"))
            server.fault(method, path, status=choice.choice((None, 502, 503)), when=when)  # type: ignore[arg-type]

        server.latency("", 0.1)  # a visit and a submission take a while, and are killed at every step
        values = write_accounts(tmp_path, account("lab", "ibm", server.account()), secrets={"ibm": server.secret()})
        with stack_of(tmp_path, postgres, redis_server, 12, values) as stack:
            client = stack.client(own_namespace())
            chaos = Chaos(stack, order)
            jobs = run(client, server, chaos, {"type": "ibm_quantum", "account": "lab"})
            made: dict[str, dict[str, bool]] = {}
            for one in server.jobs:
                (tag,) = [tag for tag in one.tags if tag.startswith("qtasks-")]
                made.setdefault(tag, {})[one.id] = one.status == "Cancelled"
            extra = each_is_paid_for_once(client, jobs, made)
    record_property("killed", dict(chaos.killed))
    record_property("cancelled", extra)
    print(f"seed {SEED}: {dict(chaos.killed)} killed, {extra} jobs made twice and cancelled")


def test_braket_bills_every_task_once_and_makes_none_twice(
    tmp_path: Path, postgres: Postgres, redis_server: Redis, record_property: Callable[[str, object], None]
) -> None:
    with BraketServer() as server:

        def order(choice: random.Random) -> None:
            method, path = choice.choice(BRAKET_FAULTS)
            server.fault(method, path, when=choice.choice(("before", "after")), drop=choice.random() < 0.5)

        server.delay(0.1)
        values = write_accounts(
            tmp_path, account("cloud", "aws", server.account("cloud")), secrets={"aws": server.secret()}
        )
        with pytest.MonkeyPatch.context() as patch:
            for name, value in server.environment(keys=False).items():
                patch.setenv(name, value)
            with stack_of(tmp_path, postgres, redis_server, 13, values) as stack:
                client = stack.client(own_namespace())
                chaos = Chaos(stack, order)
                jobs = run(client, server, chaos, {"type": "aws_braket", "name": SV1})
                made: dict[str, dict[str, bool]] = {}
                for task in server.tasks:
                    made.setdefault(task.tag, {})[task.arn] = task.status == "CANCELLED"
                extra = each_is_paid_for_once(client, jobs, made)
    record_property("killed", dict(chaos.killed))
    print(f"seed {SEED}: {dict(chaos.killed)} killed")
    assert extra == 0, "the client token makes every submission of an attempt one and the same"
