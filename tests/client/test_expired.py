"""A result that is kept no longer: its job is there, and says so whichever way it is asked."""

from __future__ import annotations

import os
import subprocess
import sys

import httpx
import pytest

from qtasks.client import Client, Job
from qtasks.errors import NotFound
from qtasks.store import retention
from tests.client.scene import SEEDED, WAYS, Scene
from tests.support import insides
from tests.support.circuits import bell

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def expired(scene: Scene) -> Job:
    """A job whose objects were given up, in a namespace that no other test looks into."""
    client = scene.client("direct", "root", "attic")
    job = client.submit(bell(), name="expired", **SEEDED)
    job.result(60)
    with insides.store(client).begin() as tx:
        retention.expire(tx, [job.job_id()])
    return job


@pytest.mark.parametrize("way", WAYS)
def test_the_result_is_not_found_with_a_reason_of_its_own(scene: Scene, expired: Job, way: str) -> None:
    client: Client = scene.client(way, "root", "attic")
    with pytest.raises(NotFound) as refused:
        client.job("expired").result(5)
    assert refused.value.reason == "ResultExpired"
    assert "expired was kept until 20" in refused.value.message and "retention" in refused.value.hint
    status = client.job("expired").to_dict()["status"]
    stored = [known for known in status["conditions"] if known["type"] == "ResultStored"]
    assert [(known["status"], known["reason"]) for known in stored] == [("False", "ResultExpired")]
    assert status["phase"] == "Completed" and "results" not in status and status["counts"]


@pytest.mark.parametrize("way", WAYS)
def test_it_cannot_be_delivered_again(scene: Scene, expired: Job, way: str) -> None:
    with pytest.raises(NotFound) as refused:
        scene.client(way, "root", "attic").job("expired").redeliver()
    assert refused.value.reason == "ResultExpired"


def test_rest_says_that_it_is_gone(scene: Scene, expired: Job) -> None:
    headers = {"Authorization": f"Bearer {scene.tokens['root']}"}
    answer = httpx.get(f"{scene.url}/v1/jobs/{expired.job_id()}/result", headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (410, "ResultExpired")


def test_the_command_line_says_so_with_the_code_of_what_is_not_there(scene: Scene, expired: Job) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "qtasks.cli", "results", "expired", "-n", "attic"],
        env={**os.environ, "QTASKS_API_URL": scene.url, "QTASKS_API_TOKEN": scene.tokens["root"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (4, "")
    assert "[ResultExpired]" in ran.stderr
