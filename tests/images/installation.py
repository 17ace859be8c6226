"""compose.yaml on this machine: its services as containers over servers of the tests' own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg

from tests.compose.document import ROOT, document, services, target_of
from tests.images.container import Container
from tests.support.s3_server import S3Server
from tests.support.servers import Postgres, Redis


class Installation:
    """The services of compose.yaml as containers on loopback, over servers of the tests' own."""

    def __init__(self, folder: Path, root: Callable[[str], Path]) -> None:
        self.folder = folder
        self._root = root
        self.running: dict[str, Container] = {}
        self.objects = S3Server(folder / "objects", "elsewhere")
        self.redis = _Redis(folder / "redis", folder / "secrets" / "redis-users")
        self.postgres = Postgres(folder / "postgres")

    def start(self) -> None:
        """The servers, and the files that are mounted."""
        folder, secrets = self.folder, self.folder / "secrets"
        (secrets / "qtasks").mkdir(parents=True)
        self.objects.create()
        (secrets / "aws-credentials").write_text(
            f"[default]\naws_access_key_id = {self.objects.key_id}\naws_secret_access_key = {self.objects.secret}\n"
        )
        subprocess.run([ROOT / "compose" / "make-secrets", secrets], check=True, capture_output=True)
        self.redis.start()
        self.postgres.create()
        with psycopg.connect(
            f"host=127.0.0.1 port={self.postgres.port} user=postgres dbname=postgres", autocommit=True
        ) as connection:
            connection.execute("CREATE ROLE qtasks LOGIN")
            connection.execute("CREATE DATABASE qtasks OWNER qtasks")
        here = {"@postgres:5432": f"@127.0.0.1:{self.postgres.port}", "@redis:6379": f"@127.0.0.1:{self.redis.port}"}
        for name in ("database-url", "broker-url", "aws-credentials", "flower-auth"):
            text = (secrets / name).read_text()
            for there, address in here.items():
                text = text.replace(there, address)
            (secrets / "qtasks" / name).write_text(text)
        (folder / "etc").mkdir()
        shutil.copy(ROOT / "compose" / "config.yaml", folder / "etc")
        shutil.copy(ROOT / "compose" / "make-bucket", folder / "etc")
        (folder / "socket").mkdir()
        (folder / "socket").chmod(0o750)
        os.chown(folder / "socket", 10002, 10002)
        (folder / "job-secrets").mkdir()

    def container(self, name: str, **environment: str) -> Container:
        """The container of a service, not started yet."""
        service = services()[name]
        target = target_of(service)
        assert target is not None
        folder = self.folder / name
        folder.mkdir()
        told = {name: str(value) for name, value in service.get("environment", {}).items()} | environment
        mounts = {"/run/sandbox": self.folder / "socket"}
        if name != "sandbox":
            told["AWS_ENDPOINT_URL_S3"] = f"http://127.0.0.1:{self.objects.port}"
            mounts |= {"/run/secrets/qtasks": self.folder / "secrets" / "qtasks", "/etc/qtasks": self.folder / "etc"}
        container = Container(
            self._root(target),
            target,
            folder,
            arguments=service.get("command"),
            entrypoint=service.get("entrypoint"),
            environment=told,
            mounts=mounts,
            user=int(service["user"].partition(":")[0]),
            groups=[int(group) for group in service.get("group_add", ())],
        )
        self.running[name] = container
        return container

    def run(self, name: str) -> None:
        """A service that ends by itself."""
        container = self.container(name).start()
        assert container.wait() == 0, container.text

    def close(self) -> None:
        for container in self.running.values():
            container.kill()
        for server in (self.redis, self.postgres, self.objects):
            server.stop()


class _Redis(Redis):
    """Redis as compose.yaml starts it."""

    def __init__(self, folder: Path, users: Path) -> None:
        super().__init__(folder)
        self._users = users

    def command(self) -> list[str]:
        options = [str(self._users) if one == "/run/secrets/redis-users" else one for one in _command("redis")[1:]]
        return [
            super().command()[0],
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(self.folder),
            *options,
        ]

    def answers(self) -> bool:
        return b" ready to accept connections" in (self.folder / "server.log").read_bytes().lower()


def _command(name: str) -> list[str]:
    found: list[str] = document()["services"][name]["command"]
    return found
