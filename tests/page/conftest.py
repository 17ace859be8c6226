"""A real `qtasks api` with a worker behind it, on PostgreSQL and Redis, for all tests of the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest
from pydantic import SecretStr

from qtasks.access import Role
from qtasks.client import Client
from tests.support.servers import Postgres, Redis, eventually
from tests.support.stack import Stack, shared_stack

CONFIG = """
accounts:
  - {name: lab-open, provider: ibm_quantum, plan: open, namespaces: [lab]}
"""


@dataclass(frozen=True)
class Site:
    """The server, and the tokens of root, alice (submits in `lab`), vera (looks at `lab`), bob (another namespace)."""

    stack: Stack
    url: str
    tokens: dict[str, str] = field(repr=False)

    def client(self, name: str, namespace: str = "lab") -> Client:
        token = SecretStr(self.tokens[name])
        return Client(self.stack.settings.model_copy(update={"api_token": token}), namespace=namespace)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("page")
    (folder / "config.yaml").write_text(CONFIG)
    redis = Redis(folder / "redis")
    redis.start()
    try:
        with shared_stack(folder, postgres, redis, 0, config=folder / "config.yaml", api_port=0) as stack:
            tokens = _principals(stack)
            server = stack.run("api")
            address = re.compile(r"(http://127\.0\.0\.1:\d+)")
            found = eventually(lambda: address.search(server.text), seconds=60, what="the API's address")
            eventually(lambda: _answers(found[1]), seconds=60, what="the API answering")
            yield Site(stack, found[1], tokens)
    finally:
        redis.stop()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=5).is_success
    except httpx.TransportError:
        return False


def _principals(stack: Stack) -> dict[str, str]:
    fresh = stack.client()
    first = fresh.principals.create("root")
    assert first.token is not None
    tokens = {"root": first.token}
    with Client(stack.settings.model_copy(update={"api_token": SecretStr(first.token)})) as root:
        for name, role, namespace in (
            ("alice", Role.SUBMITTER, "lab"),
            ("vera", Role.VIEWER, "lab"),
            ("bob", Role.SUBMITTER, "physics"),
        ):
            root.principals.create(name)
            root.principals.bind(name, role, namespace)
            tokens[name] = root.principals.token(name)[0]
    return tokens
