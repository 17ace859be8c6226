"""A cluster's API server, a qtasks beside it, and the operator between the two."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from qtasks.cli.jsonpath import evaluate
from qtasks.settings import Settings
from tests.support.kubernetes import ApiServer
from tests.support.relay import Relay
from tests.support.servers import Postgres, Redis, eventually, free_port
from tests.support.stack import Process, Stack

ROOT = Path(__file__).parents[2]
LAB, REST = "lab", "rest"
"""Namespaces: the operator of the one speaks to database and broker, that of the other over REST."""
BELL = yaml.safe_load((ROOT / "examples/kubernetes/job.yaml").read_text())
FOREVER = {"requests": {"memory": "64Ti"}}
"""Resources that no worker has: the job waits until somebody cancels it."""

Object = dict[str, Any]


class World:
    """All of it: workers, and operators in their namespaces."""

    def __init__(self, folder: Path, postgres: Postgres, redis_server: Redis, api: ApiServer, **values: Any) -> None:
        self.folder, self.api = folder, api
        self.relay = Relay(postgres.port)
        self.relay.up()
        database = postgres.database(f"t{uuid.uuid4().hex[:16]}")
        # A simulation costs something, so that there is something to count.
        known = {"simulator_rate": "0.01", "reconcile_seconds": 1.0, "api_port": free_port(), **values}
        self.stack = Stack(
            Settings(home=folder / "home", database_url=database, broker_url=redis_server.url, **known), folder
        )
        self.stack.migrate()
        self._through_relay = database.replace(f":{postgres.port}/", f":{self.relay.port}/")
        self._probes = {LAB: free_port(), REST: free_port()}
        self.operators: dict[str, Process] = {}

    def work(self, *queues: str, account: str | None = None) -> Process:
        """Start a worker, with the token of an account or without any."""
        config = {} if account is None else {"KUBECONFIG": str(self._kubeconfig(account))}
        return self.stack.run("worker", "--queues", ",".join(queues), "--concurrency", "1", **config)

    def operate(self, namespace: str, *, everywhere: bool = False) -> None:
        """Start the operator of a namespace; with `everywhere`, of all of them, as who may do anything."""
        port = self.stack.settings.api_port
        way = {LAB: {"QTASKS_DATABASE_URL": self._through_relay}, REST: {"QTASKS_API_URL": f"http://127.0.0.1:{port}"}}
        self.operators[namespace] = self.stack.run(
            "operator",
            KUBECONFIG=str(self._admins() if everywhere else self._kubeconfig("operator")),
            QTASKS_OPERATOR_NAMESPACES="" if everywhere else namespace,
            QTASKS_METRICS_PORT=str(self._probes[namespace]),
            **way[namespace],
        )

    def _admins(self) -> Path:
        return self.api.kubeconfig(self.folder / "kubeconfig", self.api.admin_token)

    def _kubeconfig(self, account: str) -> Path:
        token = self.api.account("qtasks", f"qtasks-{account}")
        return self.api.kubeconfig(self.folder / f"kubeconfig-{account}", token)

    def apply(self, document: Mapping[str, Any], name: str, namespace: str = LAB, **spec: Any) -> Object:
        metadata = {**document.get("metadata", {}), "name": name, "namespace": namespace}
        return self.api.create({**document, "metadata": metadata, "spec": {**document["spec"], **spec}})

    def job(self, name: str, namespace: str = LAB) -> Object:
        found = self.api.get("QiskitJob", namespace, name)
        assert found is not None, f"there is no QiskitJob {name}"
        return found

    def status(self, name: str, namespace: str = LAB) -> Object:
        return dict(self.job(name, namespace).get("status") or {})

    def phase(self, name: str, wanted: str, namespace: str = LAB, *, seconds: float = 40) -> Object:
        """Wait for a phase, and give the status."""
        eventually(
            lambda: self.status(name, namespace).get("phase") == wanted, seconds=seconds, what=f"{name} being {wanted}"
        )
        return self.status(name, namespace)

    def condition(self, kind: str, name: str, wanted: str) -> Object:
        """A condition of a resource in LAB; empty when there is none."""
        found = (self.api.get(kind, LAB, name) or {}).get("status", {}).get("conditions", [])
        return next((dict(one) for one in found if one["type"] == wanted), {})

    def told(self, name: str, *events: str, namespace: str = LAB) -> None:
        """Wait until a resource has these events, as `Warning InvalidResource`, and no others."""

        def said() -> list[str]:
            found = [one for one in self.api.all("Event", namespace) if one["involvedObject"]["name"] == name]
            return sorted(f"{one['type']} {one['reason']}" for one in found)

        eventually(lambda: said() == sorted(events), seconds=10, what=f"the events of {name}: {said()}")

    def probe(self, page: str, namespace: str = LAB) -> tuple[int, dict[str, str]]:
        answer = httpx.get(f"http://127.0.0.1:{self._probes[namespace]}/{page}", timeout=10)
        return answer.status_code, json.loads(answer.content)["checks"]

    def kubectl_get(self, name: str, jsonpath: str) -> str:
        """What `kubectl get qiskitjob NAME -o jsonpath=…` prints."""
        return evaluate(jsonpath, self.job(name))

    def gone(self, kind: str, name: str, namespace: str = LAB) -> None:
        """Wait until a resource is no more."""
        eventually(lambda: self.api.get(kind, namespace, name) is None, what=f"{kind} {name} going")

    def close(self) -> None:
        self.stack.close()
        self.relay.down()


@contextmanager
def cluster_and_qtasks(folder: Path, postgres: Postgres, **values: Any) -> Iterator[World]:
    """An API server with the kinds and the roles of k8s/, and a qtasks of which nothing runs yet."""
    redis_server = Redis(folder / "redis")
    redis_server.start()
    hidden = {name: os.environ.pop(name) for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST") if name in os.environ}
    with ApiServer(LAB, REST) as api:
        for path in sorted((ROOT / "k8s/crds").glob("*.yaml")):
            api.install(yaml.safe_load(path.read_text()))
        for namespace in (LAB, REST):
            for document in yaml.safe_load_all((ROOT / "k8s/served-namespace/rbac.yaml").read_text()):
                api.access.add(document, namespace)
        world = World(folder, postgres, redis_server, api, **values)
        try:
            yield world
        finally:
            world.close()
            redis_server.stop()
            os.environ.update(hidden)
