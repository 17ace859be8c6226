"""One cluster for all of these tests, with what an administrator applies before qtasks itself: kinds and roles."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.build import binaries
from tests.cluster.installation import Installation, installed
from tests.cluster.jobs import BELL, job, wait_for_delivery
from tests.cluster.roles import K8S, SERVED
from tests.support.apiserver import ApiServer, Controllers, kubectl, real_cluster
from tests.support.servers import Postgres

Kubectl = Callable[..., str]
Get = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="session")
def programs() -> Path:
    """The folder of the real servers, and of the kubectl of their version."""
    return binaries()


@pytest.fixture(scope="session")
def cluster(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with real_cluster(tmp_path_factory.mktemp("cluster"), programs) as api:
        config = api.kubeconfig(api.folder / "kubeconfig")

        def apply(*arguments: str) -> None:
            done = kubectl(programs / "kubectl", config, "apply", "--server-side", *arguments)
            assert done.returncode == 0, done.stderr

        apply("-f", str(K8S / "crds"))
        apply("-f", str(K8S / "base" / "namespace.yaml"))
        apply("-n", "qtasks", "-f", str(K8S / "base" / "accounts.yaml"))
        apply("-n", SERVED, "-f", str(K8S / "served-namespace" / "rbac.yaml"))
        yield api


@pytest.fixture(scope="session")
def ctl(cluster: ApiServer, programs: Path) -> Kubectl:
    """Run the server's own version of kubectl as the administrator; gives what it prints."""
    return runner(cluster, programs / "kubectl")


def runner(cluster: ApiServer, program: Path) -> Kubectl:
    config = cluster.folder / "kubeconfig"

    def run(*arguments: str, stdin: str | None = None) -> str:
        done = kubectl(program, config, *arguments, stdin=stdin)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="session")
def qtasks(cluster: ApiServer, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("qtasks"), cluster, postgres) as stack:
        yield stack


@pytest.fixture(scope="session")
def controllers(cluster: ApiServer, programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controllers]:
    found = Controllers(tmp_path_factory.mktemp("controllers"), programs, cluster)
    found.start()
    yield found
    found.kill()


@pytest.fixture(scope="session")
def get(cluster: ApiServer) -> Get:
    def found(name: str) -> dict[str, Any]:
        document: dict[str, Any] = cluster.ask("GET", f"/apis/quantum.io/v1/namespaces/{SERVED}/qiskitjobs/{name}")[1]
        return document

    return found


@pytest.fixture(scope="session")
def completed(ctl: Kubectl, qtasks: Installation, controllers: Controllers, get: Get, tmp_path_factory: Any) -> str:
    """A job that was applied, ran, and has its result in a ConfigMap; another was invalid."""
    path = tmp_path_factory.mktemp("circuits") / "bell.py"
    path.write_text(BELL)
    ctl("create", "configmap", "bell-circuit", f"--from-file=circuit.py={path}")
    ctl("apply", "-f", "-", stdin=job("my-quantum-job"))
    ctl("apply", "-f", "-", stdin=job("my-invalid-job", code="from qiskit import QuantumCircus\n"))
    ctl("wait", "qiskitjob", "my-invalid-job", "--for=condition=Validated=false", "--timeout=120s")
    wait_for_delivery(get, "my-quantum-job")
    return "my-quantum-job"


@pytest.fixture(autouse=True, scope="session")
def root() -> None:
    """Mounting an account's token where a pod has it takes root."""
    assert os.geteuid() == 0, "these tests run as root"
    assert subprocess.run(["unshare", "--mount", "true"], check=False).returncode == 0
