"""Where a pool process spends its time: `python -m bench.profile [submit|submit_many]`.

One worker in this process does the jobs of a real submission, with a real sandbox, Redis and Postgres, and says what
each part, each SQL statement and (with --functions) each Python function took. One process has the machine to itself,
so these figures are not those of the benchmarks; their proportions are what is of use.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

from sqlalchemy import event

from bench import circuits
from bench.system import Options, System
from qtasks.backends.aer import AerBackend
from qtasks.circuits.sandbox import Sandbox
from qtasks.lifecycle import Queue, Stage
from qtasks.notify import Notifier
from qtasks.objects.local import LocalStore
from qtasks.queue import Publisher
from qtasks.stages import execute, runner
from qtasks.stages.worker import Identity, Worker
from qtasks.store import Store

_QUEUES = Queue.of(Stage.VALIDATION, Stage.SCHEDULING, Stage.EXECUTION)
_PARTS: tuple[tuple[Any, str], ...] = (
    (Worker, "claim"),
    (runner, "load"),
    (Sandbox, "check"),
    (AerBackend, "run"),
    (AerBackend, "_compile"),
    (AerBackend, "_simulate"),
    (execute, "_store"),
    (LocalStore, "put"),
    (Publisher, "waiting"),
    (Publisher, "publish"),
    (Notifier, "tell"),
)


class Clock:
    """Adds up how often and how long."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = defaultdict(int)
        self.seconds: dict[str, float] = defaultdict(float)

    def add(self, what: str, seconds: float) -> None:
        self.calls[what] += 1
        self.seconds[what] += seconds

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                self.add(name, time.perf_counter() - started)

        return timed

    def statements(self, store: Store) -> None:
        """Time what this process waits for each statement of `store`, commits included."""
        begun: list[float] = []
        engine = store.engine
        event.listen(engine, "before_cursor_execute", lambda *_: begun.append(time.perf_counter()))
        event.listen(
            engine,
            "after_cursor_execute",
            lambda _c, _cursor, sql, *_: self.add(_short(sql), time.perf_counter() - begun.pop()),
        )
        dialect = engine.dialect
        dialect.do_commit = self.around("COMMIT", dialect.do_commit)
        dialect.do_rollback = self.around("ROLLBACK", dialect.do_rollback)
        dialect.do_ping = self.around("ping", dialect.do_ping)

    def show(self, title: str, jobs: int) -> None:
        print(f"\n{title}\n{'calls':>7} {'ms each':>9} {'ms/job':>8}")
        for name, seconds in sorted(self.seconds.items(), key=lambda entry: -entry[1]):
            calls = self.calls[name]
            print(f"{calls:7d} {seconds / calls * 1000:9.3f} {seconds / jobs * 1000:8.3f}  {name}")


def _short(sql: str) -> str:
    return " ".join(sql.split())[:110]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("submit", "submit_many"), default="submit_many")
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--functions", action="store_true", help="a Python profile too; it slows what it measures")
    given = parser.parse_args()
    options = Options(quick=True, cpu=False, rounds=1)
    with tempfile.TemporaryDirectory(prefix="qtasks-profile-") as scratch, System(Path(scratch), options) as system:
        _profile(system, given.what, given.jobs, functions=given.functions)


def _profile(system: System, what: str, count: int, *, functions: bool) -> None:
    stack = system.stack("profile")
    client = stack.client()
    identity = Identity.of(stack.settings, "profile", _QUEUES, stack.folder)
    with Sandbox(stack.settings) as sandbox:
        worker = Worker.open(stack.settings, identity, sandbox=sandbox)
        client.submit_many(circuits.pairs(20, seed=1))
        _work(worker)

        submitting = Clock()
        submitting.statements(client._direct("A profile").store)
        texts = circuits.pairs(count, seed=2) if what == "submit_many" else circuits.small(count, seed=2)
        profile = cProfile.Profile()
        started = time.perf_counter(), time.process_time()
        if functions:
            profile.enable()
        if what == "submit_many":
            client.submit_many(texts)
        else:
            for text in texts:
                client.submit(text)
        profile.disable()
        _total("client", count, started)
        submitting.show("Statements of the client", count)
        _functions(profile, functions)

        parts, statements = Clock(), Clock()
        statements.statements(worker.store)
        profile = cProfile.Profile()
        with ExitStack() as patches:
            for owner, name in _PARTS:
                wrapped = parts.around(f"{owner.__name__}.{name}", getattr(owner, name))
                patches.enter_context(mock.patch.object(owner, name, wrapped))
            for stage, function in runner._STAGES.items():
                patches.enter_context(
                    mock.patch.dict(runner._STAGES, {stage: parts.around(f"stage {stage}", function)})
                )
            started = time.perf_counter(), time.process_time()
            if functions:
                profile.enable()
            _work(worker)
            profile.disable()
            _total("worker", count, started)
        parts.show("Parts (one may hold another)", count)
        statements.show("Statements of the worker", count)
        _functions(profile, functions)
        worker.close()


def _work(worker: Worker) -> None:
    while runner.work(worker, Stage.VALIDATION):
        pass


def _total(who: str, count: int, started: tuple[float, float]) -> None:
    wall, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
    print(f"\n{who}: {wall / count * 1000:.3f} ms per job, of which this process computed {cpu / count * 1000:.3f}")


def _functions(profile: cProfile.Profile, wanted: bool) -> None:
    if wanted:
        stats = pstats.Stats(profile).strip_dirs()
        stats.sort_stats("tottime").print_stats(35)
        stats.sort_stats("cumulative").print_stats(60)


if __name__ == "__main__":
    main()
