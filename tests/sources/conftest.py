"""A certificate authority that the fetches trust, servers that end with the test, and a short way to fetch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme

from qtasks.circuits.sources import Fetched, fetch
from qtasks.resources import Circuit
from qtasks.settings import Settings
from tests.sources.web_server import Handler, WebServer

Serve = Callable[..., WebServer]
Fetch = Callable[..., Fetched]


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(autouse=True)
def own_world(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The fetches trust the authority, meet no cluster, and keep their files in the folder that is given."""
    certificates = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(certificates))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates))
    for name in ("SSL_CERT_DIR", "GIT_SSL_CAINFO", "KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("HOME", str(scratch))
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    return scratch


@pytest.fixture
def serve(authority: trustme.CA) -> Iterator[Serve]:
    """Start a server on loopback that answers with a function; `https=False` for one without a certificate."""
    with ExitStack() as stack:

        def start(answer: Handler, *, https: bool = True, names: tuple[str, ...] = ()) -> WebServer:
            return stack.enter_context(WebServer(answer, authority if https else None, *names))

        yield start


@pytest.fixture
def get(tmp_path: Path) -> Fetch:
    """Fetch a circuit, from loopback too unless `source_hosts` says otherwise."""

    def run(circuit: dict[str, Any], *, seconds: float = 30.0, **settings: Any) -> Fetched:
        options = {"home": tmp_path / "home", "source_hosts": "localhost", **settings}
        return fetch(Circuit(**circuit), namespace="default", settings=Settings(**options), timeout_seconds=seconds)

    return run
