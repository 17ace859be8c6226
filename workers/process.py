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
from celery.apps import worker as celery_worker

from qtasks.circuits.sandbox import Sandbox
from qtasks.errors import QTasksError
from qtasks.lifecycle import Queue, Stage
from qtasks.settings import settings
from qtasks.stages.keeper_pages import metrics_folder
from qtasks.stages.worker import Identity, Worker
from qtasks.store import Store, schema
from qtasks.telemetry import logs, metric, traces
from workers.watching import carried_on

# A pool process that ends waits until the main one has heard of its last task, by default 300 times 0.1 s. When SIGTERM
# comes just then it never does, for it is stopping; a message that comes back is a no-op, so half a second is enough.
billiard_pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = 5

log = logging.getLogger(__name__)

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
    traces.start("worker")
    queues = [queue for queue in Queue if queue.value in sender.app.amqp.queues.consume_from]
    try:
        store = Store(settings().database, pool_size=1)
        schema.require_current(store)
        store.close()
    except QTasksError as error:
        log.critical("%s", error)
        raise SystemExit(1) from None
    runtime = Path(tempfile.mkdtemp(prefix="qtasks-worker-"))
    atexit.register(_remove, runtime, os.getpid())
    _identity = Identity.of(settings(), sender.hostname, queues, runtime)
    if Stage.VALIDATION in _identity.stages:
        _sandbox = Sandbox(settings())
        _sandbox.start()
    if settings().metrics_port:
        # Before the fork and the keeper's start: all of them count in one folder.
        metric.switch_on(metrics_folder(runtime))
    _beside.append(_keeper(_identity))
    if _identity.simulates:
        # Imported once, before the fork: every pool process shares the pages. Nothing of it runs here.
        import qiskit_aer  # noqa: F401


def _remove(runtime: Path, main: int) -> None:
    # Pool processes inherit this at the fork, and have nothing to remove.
    if os.getpid() == main:
        shutil.rmtree(runtime, ignore_errors=True)


def _keeper(identity: Identity) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "qtasks.stages.keeper", "--socket", str(identity.keeper_socket)]
    command += ["--worker", identity.name, "--queues", ",".join(identity.queues)]
    command += ["--memory", str(identity.memory), "--threads", str(identity.threads)]
    if _sandbox is not None and _sandbox.address is not None:
        command += ["--sandbox", str(_sandbox.address)]
    keeper = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert keeper.stdout is not None, "opened as a pipe above"
    if keeper.stdout.readline() != "ready\n":
        log.critical("the lease keeper did not start")
        raise SystemExit(1)
    return keeper


def runtime() -> Path | None:
    """The folder of this worker's sockets and notes; None before it has started."""
    return None if _identity is None else _identity.runtime


def keep_keeper() -> None:
    """Start a lease keeper that died again. What was held then is renewed by nobody: it is finished within its lease,
    or taken over; whatever is claimed from here on is kept as ever."""
    for place, keeper in enumerate(_beside):
        if keeper.poll() is not None and _identity is not None:
            log.error("the lease keeper ended with status %s; starting it again", keeper.returncode)
            _beside[place] = _keeper(_identity)


@signals.worker_process_init.connect
def _pool_process_starts(**_: Any) -> None:
    """In a pool process, after the fork. Quick: Celery kills one that takes more than four seconds."""
    worker = this_process()
    worker.leases.greet()
    # What was imported before the fork stays: a collection need not look at it, nor copy its pages.
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    if worker.identity.simulates:
        worker.aer.warm()


@signals.worker_process_shutdown.connect
def _pool_process_stops(**_: Any) -> None:
    if _process is not None and _pid == os.getpid():
        _process.close()
        traces.close()


@signals.worker_shutdown.connect
def _worker_stops(**_: Any) -> None:
    if _sandbox is not None:
        _sandbox.close()


def _said(message: str, *_: Any) -> None:
    """Celery writes of its stopping by itself, past all logging."""
    log.warning("%s", message)


celery_worker.safe_say = _said


@signals.celeryd_init.connect
def _speaks(**_: Any) -> None:
    """Before Celery has anything to say."""
    logs.set_up("worker")


@signals.beat_init.connect
def _beats(**_: Any) -> None:
    log.info("beat runs")


@signals.setup_logging.connect
def _logging(loglevel: int | str | None = None, **_: Any) -> None:
    level = logging.getLevelName(loglevel) if isinstance(loglevel, int) else loglevel
    logs.set_up("beat" if "beat" in sys.argv else "worker", level=level)
