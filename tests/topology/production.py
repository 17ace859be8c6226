"""A production installation: two workers for each stage, two API servers, beat, Flower and the operator, each a process
with probes, started and replaced as a cluster does it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import yaml

from qtasks.settings import Settings
from tests.support.kubernetes import ApiServer
from tests.support.servers import eventually, free_port
from tests.support.stack import Process, Stack
from tests.topology.guarded import PASSWORD

ROOT = Path(__file__).parents[2]
NAMESPACE = "lab"
QUEUES = {
    "validation": "validation,validation.fetch",
    "scheduling": "scheduling",
    "execution": "execution,execution.medium,execution.large,execution.huge,execution.provider",
    "polling": "polling",
}
_READY_SECONDS = 90.0
_STOP_SECONDS = 60.0


@dataclass
class Part:
    """One process, how it is started, and the address that says when it is ready."""

    name: str
    arguments: Sequence[str]
    environment: dict[str, str]
    probe: str
    process: Process | None = None

    def ready(self) -> bool:
        assert self.process is not None, "it is started first"
        assert self.process.popen.poll() is None, f"{self.name}: {self.process.text[-3000:]}"
        with suppress(httpx.TransportError):
            return httpx.get(self.probe, timeout=5).status_code == 200
        return False


@dataclass
class Production:
    """All parts over servers that a test owns; `close` ends them."""

    folder: Path
    database: str
    broker: str
    objects: str
    cluster: ApiServer
    stack: Stack = field(init=False)
    parts: list[Part] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        settings = Settings(
            home=self.folder / "home",
            database_url=self.database,
            broker_url=self.broker,
            object_store_url=self.objects,
            lease_seconds=6.0,
            heartbeat_seconds=2.0,
            reconcile_seconds=1.0,
            hint_grace_seconds=2.0,
            worker_threads=1,
        )
        self.stack = Stack(settings, self.folder)
        self.stack.migrate()
        for stage, queues in QUEUES.items():
            for number in (1, 2):
                self._part(f"{stage}-{number}", "worker", "--queues", queues, "--concurrency", "1")
        for number in (1, 2):
            port = free_port()
            self.parts.append(Part(f"api-{number}", ["api", "--port", str(port)], {}, _at(port, "readyz")))
        self._part("beat", "beat", page="healthz")
        self._part("operator", "operator", KUBECONFIG=str(self._kubeconfig()), QTASKS_OPERATOR_NAMESPACES=NAMESPACE)
        port, users = free_port(), self.folder / "flower-users"
        users.write_text(f"ops:{PASSWORD}\n")
        users.chmod(0o600)
        arguments = ["flower", "--port", str(port), "--basic-auth-file", str(users)]
        self.parts.append(Part("flower", arguments, {}, _at(port, "healthcheck")))

    def _part(self, name: str, *arguments: str, page: str = "readyz", **environment: str) -> None:
        port = free_port()
        self.parts.append(Part(name, arguments, {"QTASKS_METRICS_PORT": str(port), **environment}, _at(port, page)))

    def _kubeconfig(self) -> Path:
        for path in sorted((ROOT / "k8s/crds").glob("*.yaml")):
            self.cluster.install(yaml.safe_load(path.read_text()))
        for document in yaml.safe_load_all((ROOT / "k8s/served-namespace/rbac.yaml").read_text()):
            self.cluster.access.add(document, NAMESPACE)
        token = self.cluster.account("qtasks", "qtasks-operator")
        return self.cluster.kubeconfig(self.folder / "kubeconfig", token)

    def part(self, name: str) -> Part:
        return next(part for part in self.parts if part.name == name)

    def address(self, name: str) -> str:
        """Where a part answers requests."""
        return self.part(name).probe.rpartition("/")[0]

    def start(self, parts: Sequence[Part]) -> None:
        """Start them together, and wait until each says that it is ready."""
        for part in parts:
            part.process = self.stack.run(*part.arguments, **part.environment)
        for part in parts:
            eventually(part.ready, seconds=_READY_SECONDS, what=f"{part.name} being ready")

    def replace(self, parts: Sequence[Part]) -> None:
        """Tell them to stop, as a rollout does, and start others in their place; all of them end by themselves."""
        for part in parts:
            assert part.process is not None, "only what runs is replaced"
            part.process.popen.terminate()
        for part in parts:
            assert part.process is not None
            status = part.process.popen.wait(_STOP_SECONDS)
            assert status == 0, f"{part.name} ended with {status}: {part.process.text[-3000:]}"
        self.start(parts)

    def close(self) -> None:
        self.stack.close()


def _at(port: int, page: str) -> str:
    return f"http://127.0.0.1:{port}/{page}"
