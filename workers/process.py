"""What happens as a worker's processes come and go: who they are, what they connect to, and what runs beside them."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from billiard import pool as billiard_pool
from celery import signals

from qtasks.circuits.sandbox import Sandbox
from qtasks.errors import QTasksError
from qtasks.lifecycle import Stage
from qtasks.settings import settings
from qtasks.stages.worker import Identity, Worker
from qtasks.store import Store, schema
from workers.watching import carried_on

# A pool process that ends waits until the main one has heard of its last task, by default 300 times 0.1 s. When SIGTERM
# comes just then it never does, for it is stopping; a message that comes back is a no-op, so half a second is enough.
billiard_pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = 5

_identity: Identity | None = None
_process: Worker | None = None
_pid = 0
_beside: list[subprocess.Popen[str]] = []
_sandbox: Sandbox | None = None


def this_process() -> Worker:
    """The worker that this process is; connected on first use, and again after a fork."""
    global _process
    if _process is None or _pid != os.getpid():
        _process = _open()
    return _process


def _open() -> Worker:
    global _pid
    assert _identity is not None, "worker_init tells every process whose it is"
    _pid = os.getpid()
    worker = Worker.open(settings(), _identity, sandbox=_sandbox)
    worker.shown = carried_on
    return worker


@signals.worker_init.connect
def _worker_starts(sender: Any, **_: Any) -> None:
    """In the worker's main process, before its pool forks."""
    global _identity, _sandbox
    queues = sender.app.amqp.queues.consume_from
    stages = [stage for stage in Stage if stage.value in queues]
    try:
        store = Store(settings().database, pool_size=1)
        schema.require_current(store)
        store.close()
    except QTasksError as error:
        sys.stderr.write(f"qtasks worker: {error}\n")
        raise SystemExit(1) from None
    runtime = Path(tempfile.mkdtemp(prefix="qtasks-worker-"))
    atexit.register(_remove, runtime, os.getpid())
    _identity = Identity.of(settings(), sender.hostname, stages, runtime)
    if Stage.VALIDATION in stages:
        _sandbox = Sandbox(settings())
        _sandbox.start()
    _beside.append(_keeper(_identity))
    if Stage.EXECUTION in stages:
        # Imported once, before the fork: every pool process shares the pages. Nothing of it runs here.
        import qiskit_aer  # noqa: F401


def _remove(runtime: Path, main: int) -> None:
    # Pool processes inherit this at the fork, and have nothing to remove.
    if os.getpid() == main:
        shutil.rmtree(runtime, ignore_errors=True)


def _keeper(identity: Identity) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "qtasks.stages.keeper", "--socket", str(identity.keeper_socket)]
    command += ["--worker", identity.name, "--stages", ",".join(identity.stages)]
    command += ["--memory", str(identity.memory), "--threads", str(identity.threads)]
    keeper = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert keeper.stdout is not None, "opened as a pipe above"
    if keeper.stdout.readline() != "ready\n":
        sys.stderr.write("qtasks worker: the lease keeper did not start\n")
        raise SystemExit(1)
    return keeper


@signals.worker_process_init.connect
def _pool_process_starts(**_: Any) -> None:
    """In a pool process, after the fork. Quick: Celery kills one that takes more than four seconds."""
    worker = this_process()
    worker.leases.greet()
    # What was imported before the fork stays: a collection need not look at it, nor copy its pages.
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    if Stage.EXECUTION in worker.identity.stages:
        worker.aer.warm()


@signals.worker_process_shutdown.connect
def _pool_process_stops(**_: Any) -> None:
    if _process is not None and _pid == os.getpid():
        _process.close()


@signals.worker_shutdown.connect
def _worker_stops(**_: Any) -> None:
    if _sandbox is not None:
        _sandbox.close()


@signals.setup_logging.connect
def _logging(loglevel: int | str | None = None, **_: Any) -> None:
    # Qiskit tells of every pass of the transpiler.
    logging.getLogger("qiskit").setLevel(logging.WARNING)
    logging.basicConfig(
        level=loglevel or logging.INFO,
        format="%(asctime)s %(levelname)-7s %(processName)s %(name)s: %(message)s",
    )
