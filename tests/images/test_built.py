"""The images, built by the Dockerfile's steps, and run as compose.yaml says: read-only, as users without a right."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.compose.document import ROOT, services
from tests.images.container import Container
from tests.images.dockerfile import TARGETS
from tests.images.engine import Engine
from tests.images.installation import Installation
from tests.support.servers import eventually, free_port

pytestmark = pytest.mark.needs_packages

EACH = pytest.mark.parametrize("target", TARGETS)
SOURCE = "from qiskit import QuantumCircuit\nqc = QuantumCircuit(2)\nqc.h(0)\nqc.cx(0, 1)\nqc.measure_all()\n"
JOB = {
    "apiVersion": "quantum.io/v1",
    "kind": "QiskitJob",
    "metadata": {"name": "bell"},
    "spec": {
        "backend": {"type": "local_simulator"},
        "circuit": {"source": "inline", "code": SOURCE},
        "execution": {"shots": 1000, "seedSimulator": 7},
        "output": {"type": "configmap", "location": "bell-results", "format": "json"},
    },
}


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
        ask(where, json.dumps(JOB).encode(), Content_Type="application/json")
        final = ask(f"{where}/bell?wait=50")
        assert final["status"]["phase"] == "Completed", json.dumps(final["status"], indent=1)
        counts = ask(f"{where}/bell/result")["counts"]
        assert (set(counts), sum(counts.values())) == ({"00", "11"}, 1000)

        def delivered() -> bool:
            conditions = ask(f"{where}/bell")["status"]["conditions"]
            return any(one["type"] == "OutputDelivered" and one["status"] == "True" for one in conditions)

        eventually(delivered, seconds=60, what="the output")

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
