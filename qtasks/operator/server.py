"""The process of `qtasks operator`: a watch, a desk with a few threads, a mirror, probes."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import time

from qtasks.client import Client
from qtasks.errors import InvalidInput, QTasksError
from qtasks.operator.api_server import ApiServer
from qtasks.operator.desk import Desk
from qtasks.operator.jobs import Jobs
from qtasks.operator.kept import Kept
from qtasks.operator.kinds import JOBS, PLURALS, Key, Object, key_of
from qtasks.operator.mirror import Mirror
from qtasks.settings import Settings
from qtasks.telemetry import logs
from qtasks.telemetry.probes import OK, Answer, Progress, told
from qtasks.telemetry.serving import serve

log = logging.getLogger(__name__)

# Together no more than the connections that a client has to the database.
_DESK_THREADS = 4
_MIRROR_THREADS = 3
_READY_SECONDS = 10.0
"""How old the last answer of queue and API server may be."""
_ASK_SECONDS = 3.0
_AGAIN_SECONDS = 1.0
_STOP_SECONDS = 10.0
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def run(config: Settings) -> None:
    """Serve until SIGTERM. Raises InvalidInput (`InvalidSettings`) and what opening a client does."""
    namespaces = namespaces_of(config)
    logs.set_up("operator", config)
    # Of every request that failed kopf tells several times; what comes of it is told here.
    logging.getLogger("kopf").setLevel(logging.CRITICAL)
    with Client(config) as client:
        operator = Operator(client, ApiServer(), patience=config.probe_seconds)
        if config.metrics_port:
            pages = {"/healthz": operator.healthy, "/readyz": operator.ready}
            serve(config, pages)
        operator.run(namespaces)


def namespaces_of(config: Settings) -> list[str]:
    """The namespaces that are served; none: all. Raises InvalidInput (`InvalidSettings`)."""
    found = [name.strip() for name in config.operator_namespaces.split(",") if name.strip()]
    for name in found:
        if not _NAMESPACE.fullmatch(name):
            raise InvalidInput(
                f"QTASKS_OPERATOR_NAMESPACES: {name!r} is not the name of a namespace.",
                reason="InvalidSettings",
                hint="Give names with commas between, or nothing for all namespaces.",
            )
    return list(dict.fromkeys(found))


class Operator:
    """What the process does beside watching."""

    def __init__(self, client: Client, api: ApiServer, *, patience: float) -> None:
        """`patience`: seconds without a turn of the mirror after which it is not taken for live."""
        self._api = api
        self._patience = patience
        self._desk = Desk(self._work, threads=_DESK_THREADS)
        self._mirror = Mirror(client, api, threads=_MIRROR_THREADS, news=self._look_again)
        self._jobs = Jobs(client, api, self._mirror)
        self._kept = Kept(client, api, news=self._desk.add)
        self._turns = Progress()
        self._answers = Progress()
        self._installed = False
        self._stopping = threading.Event()

    def run(self, namespaces: list[str]) -> None:
        """Serve until SIGTERM."""
        turning = threading.Thread(target=self._turn, name="mirror", daemon=True)
        turning.start()
        self._desk.start()
        where = ", ".join(namespaces) or "all namespaces"
        log.info("the operator serves %s", where)
        try:
            asyncio.run(self._watch(namespaces))
        finally:
            self._stopping.set()
            self._desk.stop(seconds=_STOP_SECONDS)
            self._mirror.stop()
            turning.join(_STOP_SECONDS)
            self._api.close()
        log.info("the operator has stopped")

    def healthy(self) -> Answer:
        """Live: the mirror turns, whether or not anybody answers it."""
        late = self._turns.late(self._patience)
        return told({"mirror": f"it has not turned for {self._turns.age:.0f} s" if late else OK})

    def ready(self) -> Answer:
        """Ready: queue and API server have answered a moment ago."""
        age = time.monotonic() - self._api.answered_at
        queue = OK if self._answers.age < _READY_SECONDS else f"no answer for {self._answers.age:.0f} s"
        cluster = OK if age < _READY_SECONDS else "the Kubernetes API does not answer"
        installed = OK if self._installed else "kubectl apply -f k8s/crds"
        return told({"queue": queue, "cluster": cluster, "definitions": installed})

    async def _watch(self, namespaces: list[str]) -> None:
        from qtasks.operator.watching import watch

        await asyncio.to_thread(self._wait_for_definitions)
        await watch(namespaces, self._seen)

    def _wait_for_definitions(self) -> None:
        """kopf looks once what is served: the definitions have to be there before."""
        said = ""
        while not self._stopping.is_set():
            try:
                missing = sorted(set(PLURALS) - self._api.served())
                if not missing:
                    self._installed = True
                    return
                why = f"the cluster has no {', '.join(missing)}: kubectl apply -f k8s/crds"
            except QTasksError as error:
                why = str(error)
            if why != said:
                log.warning("waiting: %s", why)
                said = why
            self._stopping.wait(_AGAIN_SECONDS)

    def _seen(self, plural: str, found: Object, gone: bool) -> None:
        key = key_of(plural, found)
        room = self._jobs if plural == JOBS else self._kept
        if gone or room.wants_a_look(key, found):
            self._desk.add(key)

    def _work(self, key: Key) -> float | None:
        return self._jobs.work(key) if key.plural == JOBS else self._kept.work(key)

    def _look_again(self, key: Key) -> None:
        self._jobs.look_again(key)
        self._desk.add(key)

    def _turn(self) -> None:
        said = ""
        while not self._stopping.is_set():
            try:
                self._mirror.turn()
                self._kept.turn()
                self._answers.move()
                self._ask()
                if said:
                    log.info("the mirror turns again")
                said = ""
            except QTasksError as error:
                if error.reason != said:
                    log.warning("the mirror has to wait: %s", error)
                said = error.reason
                self._stopping.wait(_AGAIN_SECONDS)
            except Exception:
                log.exception("a turn of the mirror failed")
                self._stopping.wait(_AGAIN_SECONDS)
            finally:
                self._turns.move()

    def _ask(self) -> None:
        if time.monotonic() - self._api.answered_at > _ASK_SECONDS:
            self._api.served()
