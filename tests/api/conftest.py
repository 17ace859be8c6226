"""A running API over PostgreSQL and Redis, with a worker, and principals with tokens; one for all tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from qtasks.access import Role
from qtasks.client.direct import Direct, Installation
from qtasks.client.principals import Principals
from qtasks.store import tenants
from tests.support.circuits import BELL_QASM
from tests.support.servers import Postgres, Redis, eventually, free_port
from tests.support.stack import Process, Stack, shared_stack


@dataclass
class Api:
    """The processes of one `qtasks api`, and how to speak to it."""

    process: Process
    port: int
    tokens: dict[str, str] = field(default_factory=dict)
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def headers(self, who: str | None) -> dict[str, str]:
        return {} if who is None else {"Authorization": f"Bearer {self.tokens[who]}"}

    def caller(self, who: str | None = "alice", **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=self.headers(who), timeout=90, **options)

    def wait_until_ready(self, **options: Any) -> None:
        def ready() -> bool:
            assert self.process.popen.poll() is None, self.process.text[-3000:]
            try:
                return httpx.get(f"{self.url}/readyz", **options).status_code == 200
            except httpx.TransportError:
                return False

        eventually(ready, seconds=60, what="the API answering")


@dataclass
class Scene:
    """A stack whose principals are root (admin everywhere), alice (submitter in default and small), olga (operator in
    default), victor (viewer in default) and bob (submitter in physics), and its API of two processes."""

    stack: Stack
    api: Api

    def serve(self, **environment: str) -> Api:
        """Another API over the same installation."""
        return serve(self.stack, self.api.tokens, **environment)


def serve(stack: Stack, tokens: dict[str, str], **environment: str) -> Api:
    port = free_port()
    process = stack.run("api", "--port", str(port), **environment)
    scheme = "https" if "QTASKS_API_TLS_CERT" in environment else "http"
    return Api(process, port, tokens, scheme)


def job(name: str | None = None, *, code: str = BELL_QASM, **execution: Any) -> dict[str, Any]:
    """A job's document, as short as it may be."""
    spec = {
        "backend": {"type": "local_simulator"},
        "circuit": {"source": "inline", "code": code},
        "execution": {"shots": 100, "seedSimulator": 7, **execution},
    }
    return {"spec": spec} if name is None else {"metadata": {"name": name}, "spec": spec}


def too_large() -> dict[str, Any]:
    """A job that waits for ever: no worker has 16 TiB of memory."""
    header = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[40];\ncreg c[40];\n'
    return job(code=f"{header}h q;\nt q;\nmeasure q -> c;\n", method="statevector")


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("api")
    # Its own: other tests empty theirs, and limits are counted in it.
    broker = Redis(folder / "redis")
    broker.start()
    try:
        with shared_stack(folder, postgres, broker, 0) as stack:
            api = serve(stack, _principals(stack), QTASKS_API_WORKERS="2")
            api.wait_until_ready()
            yield Scene(stack, api)
    finally:
        broker.stop()


def _principals(stack: Stack) -> dict[str, str]:
    installation = Installation.open(stack.settings)
    try:
        first = Direct.of(installation, None).principals.create("root")
        assert first.token is not None
        tokens = {"root": first.token}
        with installation.store.begin() as tx:
            tenants.keep(tx, [tenants.Limits("small", waiting=1)])
        root: Principals = Direct.of(installation, first.token).principals
        for name, role, spaces in (
            ("alice", Role.SUBMITTER, ("default", "small")),
            ("olga", Role.OPERATOR, ("default",)),
            ("victor", Role.VIEWER, ("default",)),
            ("bob", Role.SUBMITTER, ("physics",)),
        ):
            root.create(name)
            for space in spaces:
                root.bind(name, role, space)
            tokens[name] = root.token(name)[0]
        return tokens
    finally:
        installation.close()


@pytest.fixture
def alice(scene: Scene) -> Iterator[httpx.Client]:
    """A submitter in namespace `default`."""
    with scene.api.caller("alice") as client:
        yield client


@pytest.fixture
def submit(alice: httpx.Client) -> Callable[..., str]:
    """Submits alice's job and gives its id."""

    def submitted(**execution: Any) -> str:
        answer = alice.post("/v1/jobs", json=job(**execution))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["metadata"]["uid"])

    return submitted
