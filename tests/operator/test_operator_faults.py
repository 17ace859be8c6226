"""The operator dies, or what it speaks to goes away: nothing is lost, nothing is done twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qtasks.client import Client
from tests.operator.world import BELL, FOREVER, LAB, World, cluster_and_qtasks
from tests.support.servers import Postgres, eventually

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[World]:
    with cluster_and_qtasks(tmp_path_factory.mktemp("faults"), postgres) as made:
        worker = made.work("validation", "scheduling", "execution", account="polling")
        made.operate(LAB, everywhere=True)
        made.stack.ready(worker)
        yield made


@pytest.fixture(scope="module")
def client(world: World) -> Client:
    return world.stack.client(LAB)


def test_an_operator_that_is_killed_submits_nothing_twice_and_forgets_no_deletion(world: World, client: Client) -> None:
    for name in ("waiting", "other"):
        world.apply(BELL, name, resources=FOREVER)
    ids = {name: world.phase(name, "Pending")["jobId"] for name in ("waiting", "other")}
    world.api.held = "killed/status"  # it has submitted, and cannot write that it has
    world.apply(BELL, "killed")
    there = lambda: [job for job in client.jobs() if job.name.startswith("killed")]  # noqa: E731
    (submitted,) = eventually(there, what="the job")
    world.operators[LAB].kill()
    world.api.held = ""
    assert "status" not in world.job("killed")
    world.api.delete("QiskitJob", LAB, "waiting")
    world.operate(LAB, everywhere=True)
    assert world.phase("killed", "Completed")["jobId"] == submitted.job_id()
    assert [job.job_id() for job in there()] == [submitted.job_id()]
    world.gone("QiskitJob", "waiting")
    assert client.job(ids["waiting"]).cancelled()
    client.cancel([client.job(ids["other"])])
    world.phase("other", "Cancelled")


def test_a_job_that_waits_for_its_turn_knows_its_place(world: World) -> None:
    # Nobody fetches here.
    for place, name in enumerate(("next", "last"), start=1):
        world.apply(BELL, name, circuit={"source": "url", "url": "https://example.com/circuit.py"})
        eventually(lambda place=place, name=name: world.status(name).get("queue", {}).get("position") == place)
    for name in ("next", "last"):
        world.api.delete("QiskitJob", LAB, name)
        world.gone("QiskitJob", name)


def test_a_job_whose_finalizer_somebody_took_off_is_cancelled_all_the_same(world: World, client: Client) -> None:
    world.apply(BELL, "unheld", resources=FOREVER)
    job = client.job(world.phase("unheld", "Pending")["jobId"])
    metadata = {**world.job("unheld")["metadata"], "finalizers": []}
    world.api.update("QiskitJob", LAB, "unheld", metadata=metadata)
    world.api.delete("QiskitJob", LAB, "unheld")
    eventually(job.cancelled, what="its being cancelled")


def test_an_api_server_that_goes_away_is_waited_for(world: World, client: Client) -> None:
    names = [f"before-{number}" for number in range(5)]
    for name in names:
        world.apply(BELL, name, output={"location": name})
    eventually(lambda: len([job for job in client.jobs() if job.name in names]) == 5, what="all being submitted")
    world.api.stop()
    client.wait([job for job in client.jobs() if job.name in names], timeout=60)
    eventually(lambda: world.probe("readyz")[0] == 503, seconds=60, what="it being told")
    assert world.probe("healthz") == (200, {"mirror": "ok"})
    world.api.objects.forget_history()
    world.api.start()
    for name in names:
        world.phase(name, "Completed")
    world.apply(BELL, "after")
    world.phase("after", "Completed")
    assert world.probe("readyz")[0] == 200


def test_a_database_that_goes_away_is_waited_for(world: World) -> None:
    world.relay.down()
    world.apply(BELL, "meanwhile")
    eventually(lambda: world.job("meanwhile")["metadata"].get("finalizers"), what="its being held")
    assert "status" not in world.job("meanwhile")
    world.relay.up()
    world.phase("meanwhile", "Completed")


def test_its_log_is_quiet_and_it_ends_when_it_is_asked_to(world: World) -> None:
    operator = world.operators[LAB]
    operator.stop()
    assert operator.popen.returncode == 0
    lines = operator.text.splitlines()
    assert "the operator has stopped" in lines[-1]
    # What went away, and came again: not every request that failed.
    assert len(lines) < 30
    assert "Traceback" not in operator.text
