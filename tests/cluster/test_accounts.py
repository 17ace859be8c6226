"""What each service account may do in a real cluster: what it needs, and nothing else."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.conftest import Kubectl
from tests.cluster.roles import K8S, SERVED, Rules, granted
from tests.support.apiserver import ApiServer, pod_environment, pod_of

pytestmark = [pytest.mark.system, pytest.mark.needs_packages]

EVERYBODYS: Rules = {(f"selfsubject{what}reviews.authorization.k8s.io", "create") for what in ("access", "rules")}
"""What every account of a cluster may do: ask what it may do."""
ACCOUNTS = [found["metadata"]["name"] for found in yaml.safe_load_all((K8S / "base/accounts.yaml").read_text())]
HIDDEN = "hunter2-of-the-cluster"


def listed(text: str) -> Rules:
    """What `kubectl auth can-i --list` prints of resources."""
    found: Rules = set()
    for line in text.splitlines()[1:]:
        match = re.fullmatch(r"(\S+) +\[\] +\[\] +\[([a-z ]+)\]", line.strip())
        if match is None:
            assert re.fullmatch(r"\[/\S*\] +\[\] +\[get\]", line.strip()), line  # where a client looks for versions
            continue
        found |= {(match[1], verb) for verb in match[2].split()}
    return found


def can(ctl: Kubectl, account: str, namespace: str) -> Rules:
    printed = ctl("auth", "can-i", "--list", f"--as=system:serviceaccount:qtasks:{account}", "-n", namespace)
    return listed(printed) - EVERYBODYS


@pytest.mark.parametrize("account", ACCOUNTS)
def test_an_account_may_do_what_its_manifest_says_and_nothing_else(ctl: Kubectl, account: str) -> None:
    assert can(ctl, account, SERVED) == granted(account)
    for namespace in ("qtasks", "kube-system"):
        assert can(ctl, account, namespace) == set()


def test_only_four_accounts_may_do_anything() -> None:
    assert {account for account in ACCOUNTS if granted(account)} == {
        f"qtasks-{component}" for component in ("operator", "fetch", "provider", "polling")
    }


def test_no_account_may_list_secrets_or_write_them(cluster: ApiServer) -> None:
    for account in ACCOUNTS:
        token = cluster.token(account)
        path = f"/api/v1/namespaces/{SERVED}/secrets"
        refused = [cluster.ask(method, path, {}, token=token)[0] for method in ("GET", "POST", "DELETE")]
        refused.append(cluster.ask("GET", f"{path}?watch=true", token=token)[0])
        assert refused == [403] * 4


READ = """
import json, sys
from qtasks.circuits.sources import fetch
from qtasks.errors import QTasksError
from qtasks.resources import Circuit
from qtasks.results.outputs import Delivery, Means, deliver
from qtasks.secrets import read_secret
from qtasks.settings import Settings

def told(act):
    try:
        return act()
    except QTasksError as error:
        return [error.reason, str(error)]

settings = Settings()
circuit = Circuit(source="configmap", configMapRef={"name": "grover-circuit", "key": "circuit.py"})
job = Delivery("default", "0192-id", "written", name="bell", format="json", date="2026-01-02")
print(json.dumps({
    "secret": told(lambda: dict(read_secret(settings, namespace="default", name="lab").values)),
    "none": told(lambda: dict(read_secret(settings, namespace="default", name="none").values)),
    "elsewhere": told(lambda: dict(read_secret(settings, namespace="qtasks", name="lab").values)),
    "circuit": told(lambda: fetch(circuit, namespace="default", settings=settings, timeout_seconds=20).data.decode()),
    "output": told(lambda: deliver("configmap", job, b"{}", Means(settings, seconds=5.0))),
}))
"""


def in_pod(cluster: ApiServer, account: str, folder: Path) -> dict[str, Any]:
    """What reading and writing come to in a pod of this account."""
    command = pod_of(cluster, account, folder)([sys.executable, "-c", READ])
    names = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environment = {**names, **pod_environment(cluster), "HOME": str(folder), "QTASKS_HOME": str(folder / "home")}
    done = subprocess.run(command, env=environment, cwd=K8S.parent, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert HIDDEN not in done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def things(cluster: ApiServer) -> None:
    """A secret and a circuit that lie in the served namespace, and a secret in another."""
    for namespace in (SERVED, "qtasks"):
        secret = {"metadata": {"name": "lab"}, "stringData": {"token": f"{HIDDEN}\n"}}
        assert cluster.ask("POST", f"/api/v1/namespaces/{namespace}/secrets", secret)[0] == 201
    circuit = {"metadata": {"name": "grover-circuit"}, "data": {"circuit.py": "qc = 1\n"}}
    assert cluster.ask("POST", f"/api/v1/namespaces/{SERVED}/configmaps", circuit)[0] == 201


READS, WRITES = "Let its service account `get` {} in that namespace.", "`create` and `patch` configmaps"


@pytest.mark.parametrize(
    ("account", "may"),
    [
        ("qtasks-fetch", {"secret", "circuit"}),
        ("qtasks-polling", {"secret", "output"}),
        ("qtasks-provider", {"secret"}),
        ("qtasks-execution", set()),
        ("qtasks-api", set()),
    ],
)
def test_a_pod_reads_and_writes_what_its_account_may_and_is_told_what_it_may_not(
    cluster: ApiServer, things: None, tmp_path: Path, account: str, may: set[str]
) -> None:
    found = in_pod(cluster, account, tmp_path)
    if "secret" in may:
        assert found["secret"] == {"token": HIDDEN}
        assert found["none"][0] == "SecretNotFound"
    else:
        for asked in ("secret", "none"):  # whoever may not read cannot tell which there are
            assert found[asked][0] == "SecretNotReadable"
            assert READS.format("secrets") in found[asked][1]
    assert found["elsewhere"][0] == "SecretNotReadable"
    if "circuit" in may:
        assert found["circuit"] == "qc = 1\n"
    else:
        assert found["circuit"][0] == "SourceForbidden"
        assert READS.format("configmaps") in found["circuit"][1]
    if "output" in may:
        assert found["output"] == "ConfigMap default/written, key results"
        status, written = cluster.ask("GET", f"/api/v1/namespaces/{SERVED}/configmaps/written")
        assert (status, written["data"]) == (200, {"results": "{}"})
    else:
        assert found["output"][0] == "OutputForbidden"
        assert WRITES in found["output"][1]
