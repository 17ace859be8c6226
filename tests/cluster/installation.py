"""qtasks in a cluster that has no nodes: its processes, each with what a pod of its service account has."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from qtasks.settings import Settings
from tests.cluster.roles import SERVED, Rules, named
from tests.support.apiserver import ApiServer, pod_environment, pod_of
from tests.support.servers import Postgres, Redis
from tests.support.stack import Process, Stack


@dataclass
class Installation(Stack):
    """`pods` are its processes by their accounts; `audited_before` the requests that the cluster had before."""

    cluster: ApiServer = field(kw_only=True)
    audited_before: int = field(kw_only=True)
    pods: dict[str, Process] = field(default_factory=dict)

    def pod(self, account: str, *arguments: str, **environment: str) -> Process:
        """Start `qtasks …` in a pod of this account."""
        command = pod_of(self.cluster, account, self.folder)([sys.executable, "-m", "qtasks.cli", *arguments])
        log = self.folder / f"{account}-{len(self.processes)}.log"
        outside = {name: value for name, value in os.environ.items() if not name.startswith(("KUBE", "QTASKS_"))}
        own = {**outside, **self.settings.environment(), **pod_environment(self.cluster), **environment}
        with log.open("wb") as output:
            popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=own,
                cwd=self.folder,
                start_new_session=True,
            )
        process = self.pods[account] = Process(popen, log)
        self.processes.append(process)
        return process

    def operator(self) -> Process:
        return self.pod("qtasks-operator", "operator", QTASKS_OPERATOR_NAMESPACES=SERVED)

    def asked(self, account: str) -> tuple[Rules, Rules]:
        """What the pods of an account have asked of the cluster in all, and what of it was refused."""
        found: tuple[Rules, Rules] = set(), set()
        for event in self.cluster.audited()[self.audited_before :]:
            what = event.get("objectRef", {})
            if event["user"]["username"] == f"system:serviceaccount:qtasks:{account}" and "resource" in what:
                part = f"{what['resource']}/{what['subresource']}" if "subresource" in what else what["resource"]
                rule = (named(part, what.get("apiGroup", "")), event["verb"])
                found[0].add(rule)
                if event["responseStatus"]["code"] in (401, 403):
                    found[1].add(rule)
        return found


@contextmanager
def installed(folder: Path, cluster: ApiServer, postgres: Postgres) -> Iterator[Installation]:
    """Workers by component, beat and the operator, over a Redis and a database of their own."""
    redis = Redis(folder / "redis")
    redis.start()
    settings = Settings(
        home=folder / "home", database_url=postgres.database("cluster"), broker_url=redis.url, deliver_at_once=False
    )
    stack = Installation(settings, folder, cluster=cluster, audited_before=len(cluster.audited()))
    try:
        stack.migrate()
        workers = [
            stack.pod("qtasks-fetch", "worker", "--queues", "validation,validation.fetch", "--concurrency", "1"),
            stack.pod("qtasks-execution", "worker", "--queues", "scheduling,execution", "--concurrency", "1"),
            stack.pod("qtasks-polling", "worker", "--queues", "polling", "--concurrency", "1"),
        ]
        stack.pod("qtasks-beat", "beat")
        stack.operator()
        for worker in workers:
            stack.ready(worker)
        yield stack
    finally:
        stack.close()
        redis.stop()
