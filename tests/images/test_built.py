"""The images, built by the Dockerfile's steps, and run as compose.yaml says: read-only, as users without a right."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.compose.document import ROOT, services, target_of
from tests.images.container import Container
from tests.images.dockerfile import TARGETS
from tests.images.engine import Engine
from tests.support.s3_server import S3Server
from tests.support.servers import Postgres, Redis, free_port

pytestmark = pytest.mark.needs_packages

EACH = pytest.mark.parametrize("target", TARGETS)
SOURCE = "from qiskit import QuantumCircuit\nqc = QuantumCircuit(2)\nqc.h(0)\nqc.cx(0, 1)\nqc.measure_all()\n"


@pytest.fixture(scope="module")
def root() -> Iterator[Callable[[str], Path]]:
    """The file system of the image of a target, built when first asked for."""
    engine = Engine()
    found: dict[str, Path] = {}
    with ExitStack() as mounts:

        def built(target: str) -> Path:
            if target not in found:
                found[target] = mounts.enter_context(engine.mounted(engine.build(target)))
            return found[target]

        yield built


@EACH
def test_an_image_runs_qtasks_and_has_no_way_to_install_anything(
    root: Callable[[str], Path], target: str, tmp_path: Path
) -> None:
    container = Container(root(target), target, tmp_path, arguments=["version"]).start()
    assert container.wait() == 0, container.text
    assert container.text.startswith("qtasks 0.")
    programs, packages = {"pip", "pip3", "uv", "uvx", "gcc", "cc", "c++", "make"}, {"pip", "ensurepip"}
    found = [path for path, folders, files in os.walk(root(target)) if programs & {*files} or packages & {*folders}]
    assert found == []


@EACH
def test_nothing_in_an_image_gives_a_right_away(root: Callable[[str], Path], target: str) -> None:
    given = ["find", str(root(target)), "-xdev", "-type", "f", "-perm", "/6000"]
    assert subprocess.run(given, capture_output=True, text=True, check=True).stdout == ""
    writable = ["find", str(root(target)), "-xdev", "-user", "10001", "!", "-path", "*/var/lib/qtasks"]
    assert subprocess.run(writable, capture_output=True, text=True, check=True).stdout == ""


@EACH
def test_an_image_is_as_large_as_its_documentation_says(root: Callable[[str], Path], target: str) -> None:
    documented = re.search(rf"^\| `{target}` \| (\d[\d,]*) MB", (ROOT / "docs" / "images.md").read_text(), re.MULTILINE)
    assert documented is not None
    kilobytes = subprocess.run(["du", "-sk", root(target)], capture_output=True, text=True, check=True).stdout.split()[
        0
    ]
    assert int(kilobytes) * 1024 / 1e6 == pytest.approx(int(documented[1].replace(",", "")), rel=0.1)


def test_the_workers_git_fetches(root: Callable[[str], Path], tmp_path: Path) -> None:
    for command in (["git", "ls-remote", "https://127.0.0.1:9/x"], ["ssh", "-V"]):
        folder = tmp_path / command[0]
        folder.mkdir()
        container = Container(root("worker"), "worker", folder, entrypoint=["tini", "--"], arguments=command).start()
        container.wait()
        assert re.search("Failed to connect|Could not connect|OpenSSH_", container.text), container.text


def test_the_gpu_worker_has_the_libraries_of_cuda(root: Callable[[str], Path], tmp_path: Path) -> None:
    code = (
        "import qiskit, qiskit_aer, importlib.metadata as m\n"
        "qc = qiskit.QuantumCircuit(2); qc.h(0); qc.cx(0, 1); qc.measure_all()\n"
        "counts = qiskit_aer.AerSimulator(seed_simulator=1).run(qc, shots=100).result().get_counts()\n"
        "print(m.version('qiskit-aer-gpu'), sorted(counts))\n"
    )
    command = ["python", "-c", code]
    container = Container(
        root("worker-gpu"), "worker-gpu", tmp_path, entrypoint=["tini", "--"], arguments=command
    ).start()
    assert container.wait() == 0, container.text
    assert container.text.split("\n")[-2].endswith("['00', '11']")


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
        told = {**service.get("environment", {}), **environment}
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
    from tests.compose.document import document

    found: list[str] = document()["services"][name]["command"]
    return found


def ask(address: str, body: bytes | None = None, **headers: str) -> Any:
    """The answer of the API, as JSON."""
    request = urllib.request.Request(address, data=body, headers={k.replace("_", "-"): v for k, v in headers.items()})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_a_job_runs_in_containers_that_may_write_nothing(root: Callable[[str], Path], tmp_path: Path) -> None:
    api, flower = free_port(), free_port()
    stack = Installation(tmp_path, root)
    try:
        stack.start()
        stack.run("migrate")
        stack.run("bucket")
        stack.container("sandbox").start()
        for name in ("validation", "scheduling", "execution", "polling", "beat"):
            more = ("--concurrency", "1") if name != "beat" else ()
            container = stack.container(name, QTASKS_METRICS_PORT=str(free_port()))
            container.arguments = [*(container.arguments or ["beat"]), *more]
            container.start()
        stack.container("api", QTASKS_API_PORT=str(api)).start()
        monitor = stack.container("flower")
        monitor.arguments = ["flower", "--address", "127.0.0.1", "--port", str(flower)]
        monitor.start()

        checks: dict[str, list[str]] = {
            "sandbox": services()["sandbox"]["healthcheck"]["test"][1:],
            "flower": ["alive", str(flower), "/healthcheck"],
        }
        for name, container in stack.running.items():
            if name not in ("migrate", "bucket"):
                container.ready(checks.get(name))

        where = f"http://127.0.0.1:{api}/v1/jobs"
        job = ask(f"{where}?name=bell&shots=1000&seed_simulator=7", SOURCE.encode(), Content_Type="text/x-python")
        final = ask(f"{where}/{job['metadata']['name']}?wait=50")
        assert final["status"]["phase"] == "Completed", json.dumps(final["status"], indent=1)
        counts = ask(f"{where}/bell/result")["counts"]
        assert (set(counts), sum(counts.values())) == ({"00", "11"}, 1000)
        assert stack.objects.names() == []

        started = time.monotonic()
        for name in ("api", "flower", "beat", "polling", "execution", "scheduling", "validation", "sandbox"):
            status = stack.running[name].stop()
            assert status in (0, 143), f"{name} ended with {status}:\n{stack.running[name].text[-2000:]}"
        assert time.monotonic() - started < 60
        for name, container in stack.running.items():
            password = (tmp_path / "secrets" / "redis-password").read_text()
            assert password not in container.text, name
            assert "Read-only file system" not in container.text, container.text
    finally:
        stack.close()
