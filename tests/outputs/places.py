"""The four kinds of places that results go to, each real, with what a test does to it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from tests.outputs.desk import Desk
from tests.support.gcs_server import GcsServer
from tests.support.kubernetes_server import KubernetesServer
from tests.support.relay import Relay
from tests.support.s3_server import S3Server


class Place(Protocol):
    largest: int
    """Bytes of what a test writes there to be caught in the middle."""

    def output(self, *, place: str = "out", fmt: str = "json") -> dict[str, Any]:
        """A job's `spec.output` for it; `place` may have fields."""

    def names(self) -> list[str]:
        """All that is there, half-written things too."""

    def read(self, place: str) -> bytes:
        """What was written to `place`."""

    def away(self) -> Any:
        """It does not work for the time of the block, and then does."""

    def refuses(self) -> Any:
        """It refuses for good, until the end of the block."""

    def secrets(self) -> list[str]:
        """What must be said nowhere."""


class _Folder:
    largest = 900_000
    root: Path

    def names(self) -> list[str]:
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file())

    @contextmanager
    def away(self) -> Iterator[None]:
        """The folder is a link to what is not mounted."""
        aside = self.root.with_name("aside")
        self.root.rename(aside)
        self.root.symlink_to("nowhere")
        yield
        self.root.unlink()
        aside.rename(self.root)

    @contextmanager
    def refuses(self) -> Iterator[None]:
        """A link stands where the folder should be."""
        (self.root / "default").rename(self.root / "elsewhere")
        (self.root / "default").symlink_to("elsewhere")
        yield
        (self.root / "default").unlink()
        (self.root / "elsewhere").rename(self.root / "default")

    def secrets(self) -> list[str]:
        return []


class ConfigMapFolder(_Folder):
    def __init__(self, desk: Desk) -> None:
        self.root = desk.settings.configmaps
        (self.root / "default").mkdir(parents=True)

    def output(self, *, place: str = "out", fmt: str = "json") -> dict[str, Any]:
        return {"type": "configmap", "location": place, "format": fmt}

    def read(self, place: str) -> bytes:
        return (self.root / "default" / place / "results").read_bytes()


class Volume(_Folder):
    largest = 20_000_000

    def __init__(self, desk: Desk) -> None:
        self.root = desk.settings.volumes
        (self.root / "default" / "claim").mkdir(parents=True)

    def output(self, *, place: str = "out", fmt: str = "json") -> dict[str, Any]:
        return {"type": "pvc", "location": "claim", "path": f"/results/{place}", "format": fmt}

    def read(self, place: str) -> bytes:
        return (self.root / "default" / "claim" / "results" / place).read_bytes()


class Cluster:
    largest = 900_000

    def __init__(self, server: KubernetesServer) -> None:
        self._server = server
        server.configmaps.clear()

    def output(self, *, place: str = "out", fmt: str = "json") -> dict[str, Any]:
        return {"type": "configmap", "location": place, "format": fmt}

    def names(self) -> list[str]:
        return [f"{ns}/{name}/{key}" for (ns, name), found in self._server.configmaps.items() for key in _keys(found)]

    def read(self, place: str) -> bytes:
        found = self._server.configmaps["default", place]
        if "results" in (found.get("data") or {}):
            return str(found["data"]["results"]).encode()
        return base64.b64decode(found["binaryData"]["results"])

    @contextmanager
    def away(self) -> Iterator[None]:
        self._server.broken = True
        yield
        self._server.broken = False

    @contextmanager
    def refuses(self) -> Iterator[None]:
        self._server.forbidden = True
        yield
        self._server.forbidden = False

    def secrets(self) -> list[str]:
        return ["token-of-this-worker"]


def _keys(found: dict[str, Any]) -> list[str]:
    return [*(found.get("data") or {}), *(found.get("binaryData") or {})]


class S3Bucket:
    largest = 20_000_000

    def __init__(self, desk: Desk, server: S3Server, relay: Relay, prefix: str) -> None:
        self._desk, self._server, self._relay, self.prefix = desk, server, relay, prefix
        self._set(server.secret)

    def _set(self, secret: str) -> None:
        endpoint = f"http://127.0.0.1:{self._relay.port}"
        self._desk.secret("place", access_key_id=self._server.key_id, secret_access_key=secret, endpoint=endpoint)

    def output(self, *, place: str = "out", fmt: str = "json") -> dict[str, Any]:
        location = f"s3://{self._server.bucket}/{self.prefix}/{place}.{fmt}"
        return _with_secret({"type": "s3", "location": location, "format": fmt})

    def names(self) -> list[str]:
        return self._server.names(self.prefix)

    def read(self, place: str) -> bytes:
        [name] = [name for name in self.names() if name.rpartition(".")[0] == f"{self.prefix}/{place}"]
        return bytes(self._server.read(name)["Body"])

    @contextmanager
    def away(self) -> Iterator[None]:
        self._relay.down()
        yield
        self._relay.up()

    @contextmanager
    def refuses(self) -> Iterator[None]:
        self._set("not-the-secret-at-all")
        yield
        self._set(self._server.secret)

    def secrets(self) -> list[str]:
        return [self._server.secret, "not-the-secret-at-all"]


class GcsBucket:
    largest = 20_000_000

    def __init__(self, desk: Desk, server: GcsServer, bucket: str, keys: tuple[str, str], prefix: str) -> None:
        self._desk, self._server, self._bucket, self.prefix = desk, server, bucket, prefix
        self._key, self._other = keys
        self._set(self._key)

    def _set(self, private_key: str) -> None:
        account = {
            "type": "service_account",
            "client_email": "qtasks@project.iam.gserviceaccount.com",
            "private_key_id": "1",
            "private_key": private_key,
            "token_uri": f"{self._server.url}/token",
        }
        self._desk.secret("place", service_account_json=json.dumps(account), endpoint=self._server.url)

    def output(self, *, place: str = "out", fmt: str = "json") -> dict[str, Any]:
        location = f"gs://{self._bucket}/{self.prefix}/{place}.{fmt}"
        return _with_secret({"type": "gcs", "location": location, "format": fmt})

    def names(self) -> list[str]:
        found = self._server.storage.get_file_list(self._bucket, self.prefix)
        items = found[0] if isinstance(found, tuple) else found
        return [item["name"] for item in items]

    def read(self, place: str) -> bytes:
        [name] = [name for name in self.names() if name.rpartition(".")[0] == f"{self.prefix}/{place}"]
        return bytes(self._server.storage.get_file(self._bucket, name))

    @contextmanager
    def away(self) -> Iterator[None]:
        self._server.broken = True
        yield
        self._server.broken = False

    @contextmanager
    def refuses(self) -> Iterator[None]:
        self._set(self._other)
        yield
        self._set(self._key)

    def secrets(self) -> list[str]:
        lines = [line for key in (self._key, self._other) for line in key.splitlines() if "-----" not in line]
        return [*lines, self._server.token]


def _with_secret(output: dict[str, Any]) -> dict[str, Any]:
    return {**output, "credentials": {"secretRef": {"name": "place"}}}
