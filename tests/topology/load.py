"""Producers that never rest: over REST, from Python, and as resources of the cluster; each bears with what restarts."""

from __future__ import annotations

import threading
import time
from typing import Any

from qtasks.client import Client
from qtasks.errors import QTasksError
from tests.support.circuits import BELL_SOURCE, heavy
from tests.topology.production import NAMESPACE, Production

SHOTS, SEED = 200, 42
_PAUSE_SECONDS = 1.0
_AGAIN_SECONDS = 0.2


class Load:
    """Submits until it is told to stop; `names` are those of the jobs that somebody was told of."""

    def __init__(self, production: Production) -> None:
        self._production = production
        settings = production.stack.settings
        self._ways = [
            Client(settings, namespace=NAMESPACE),
            *(
                Client(
                    settings.model_copy(update={"api_url": production.address(api), "broker_url": ""}),
                    namespace=NAMESPACE,
                )
                for api in ("api-1", "api-2")
            ),
        ]
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._produce, args=("python", self._submit), daemon=True),
            threading.Thread(target=self._produce, args=("applied", self._apply), daemon=True),
        ]
        self.names: list[str] = []
        self.refused: list[str] = []

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End it, once what is under way was acknowledged."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a producer hangs"
        for client in self._ways:
            client.close()

    def _produce(self, word: str, submit: Any) -> None:
        number = 0
        while not self._stopping.is_set():
            name = f"{word}-{number:04}"
            deadline = time.monotonic() + 60
            while True:
                try:
                    submit(name, number)
                    break
                except (QTasksError, OSError) as error:
                    if time.monotonic() > deadline:
                        self.refused.append(f"{name}: {error}")
                        return
                    time.sleep(_AGAIN_SECONDS)
            self.names.append(name)
            number += 1
            self._stopping.wait(_PAUSE_SECONDS)

    def _submit(self, name: str, number: int) -> None:
        """Each time another way, and the next one when it is away; the name makes it one job."""
        client = self._ways[(number + int(time.monotonic() * 5)) % len(self._ways)]
        circuit = heavy(18, 4) if number % 10 == 0 else BELL_SOURCE
        client.submit(circuit, name=name, shots=SHOTS, seed_simulator=SEED, idempotency_key=name)

    def _apply(self, name: str, _number: int) -> None:
        execution = {"shots": SHOTS, "seedSimulator": SEED}
        spec = {"circuit": {"source": "inline", "code": BELL_SOURCE}, "execution": execution}
        metadata = {"name": name, "namespace": NAMESPACE}
        document = {"apiVersion": "quantum.io/v1", "kind": "QiskitJob", "metadata": metadata, "spec": spec}
        self._production.cluster.create(document)
