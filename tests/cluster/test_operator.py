"""The operator and the workers under their own accounts against a real API server."""

from __future__ import annotations

import signal

import pytest
import yaml

from tests.cluster.conftest import Get, Kubectl
from tests.cluster.installation import Installation
from tests.cluster.jobs import BELL, OTHERS, job, wait_for_delivery
from tests.cluster.roles import SERVED, granted
from tests.support.apiserver import ApiServer
from tests.support.servers import eventually

pytestmark = [pytest.mark.system, pytest.mark.needs_packages]


def test_a_result_belongs_to_its_job(cluster: ApiServer, completed: str, get: Get) -> None:
    status, found = cluster.ask("GET", f"/api/v1/namespaces/{SERVED}/configmaps/my-results")
    assert status == 200
    [owner] = found["metadata"]["ownerReferences"]
    assert owner | {"uid": get(completed)["metadata"]["uid"]} == owner
    assert (owner["apiVersion"], owner["kind"], owner["name"]) == ("quantum.io/v1", "QiskitJob", completed)
    assert "controller" not in owner and not owner.get("blockOwnerDeletion")


def test_a_job_that_is_deleted_is_cancelled(ctl: Kubectl, qtasks: Installation, completed: str, get: Get) -> None:
    worker = qtasks.pods["qtasks-execution"]
    worker.signal_group(signal.SIGSTOP)  # so that the job waits
    try:
        ctl("apply", "-f", "-", stdin=job("to-be-deleted", code=BELL))
        job_id = eventually(lambda: get("to-be-deleted").get("status", {}).get("jobId"), what="it being submitted")
        assert get("to-be-deleted")["metadata"]["finalizers"]
        ctl("delete", "qiskitjob", "to-be-deleted", "--timeout=60s")
        assert qtasks.client().describe(job_id)["status"]["phase"] == "Cancelled"
    finally:
        worker.signal_group(signal.SIGCONT)


def test_a_result_goes_with_its_job_and_what_others_made_stays(
    ctl: Kubectl, cluster: ApiServer, completed: str, get: Get
) -> None:
    ctl("create", "configmap", "ours", "--from-literal=notes=kept")
    for name in ("own", "ours"):
        ctl("apply", "-f", "-", stdin=job(f"job-of-{name}", code=BELL, location=name))
        wait_for_delivery(get, f"job-of-{name}")
        ctl("delete", "qiskitjob", f"job-of-{name}", "--timeout=60s")
    path = f"/api/v1/namespaces/{SERVED}/configmaps"
    eventually(lambda: cluster.ask("GET", f"{path}/own")[0] == 404, seconds=60, what="own being collected")
    kept = cluster.ask("GET", f"{path}/ours")[1]
    assert kept["data"]["notes"] == "kept"
    assert "ownerReferences" not in kept["metadata"]


def test_the_operators_account_is_enough_and_not_more(
    ctl: Kubectl, cluster: ApiServer, qtasks: Installation, completed: str
) -> None:
    """All that it asked for was granted, and all that is granted it has asked for."""
    ctl("apply", "-f", "-", stdin=yaml.safe_dump_all(OTHERS))
    for plural in ("qiskitbudgets", "qiskitsessions", "qiskitbackends"):
        accepted = ctl("wait", plural, "one", "--for=condition=Accepted", "--timeout=60s")
        assert "condition met" in accepted
        ctl("delete", plural, "one", "--timeout=60s")
    qtasks.pods["qtasks-operator"].stop()  # a watch is in the audit log when it has ended
    qtasks.operator()
    assert qtasks.asked("qtasks-operator") == (granted("qtasks-operator"), set())


def test_the_workers_accounts_are_enough(qtasks: Installation, completed: str) -> None:
    assert qtasks.asked("qtasks-polling") == ({("configmaps", "create"), ("configmaps", "patch")}, set())
    for component in ("execution", "beat"):
        assert qtasks.asked(f"qtasks-{component}") == (set(), set())
    used, refused = qtasks.asked("qtasks-fetch")
    assert (("configmaps", "get") in used, refused) == (True, set())
