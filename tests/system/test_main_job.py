"""The main job, end to end: the seed's Bell job on the embedded default, and on PostgreSQL, Redis and S3."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from qtasks.client import Client
from qtasks.embedded import running, stop
from qtasks.lifecycle import ConditionType, Phase
from qtasks.settings import Settings
from tests.support.circuits import BELL_QASM, BELL_SOURCE, bell
from tests.support.servers import eventually
from tests.support.stack import Stack

pytestmark = pytest.mark.system

EXAMPLE = Path(__file__).parents[2] / "examples" / "bell.yaml"


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The settings of an embedded home, whose stack the first test starts; it is stopped at the end."""
    config = Settings(home=tmp_path_factory.mktemp("embedded") / "home", embedded_workers=1)
    yield config
    stop(config)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a bucket on an S3 server; this process and those it starts find it by environment."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    boto3.client("s3").create_bucket(Bucket="qtasks")
    yield "s3://qtasks/lab"
    server.stop()


def assert_is_the_bell_result(client: Client, settings: Settings) -> None:
    job = client.submit(EXAMPLE)
    seen: list[Phase] = []
    assert job.wait_for_final_state(60, seen=seen.append) is Phase.COMPLETED
    counts = job.result().get_counts()
    assert set(counts) == {"00", "11"}
    assert sum(counts.values()) == 1024
    delivered = eventually(lambda: condition(client, job.job_id(), ConditionType.OUTPUT_DELIVERED))
    assert delivered["status"] == "True"
    output = settings.configmaps / "default" / "my-results" / "results"
    assert json.loads(output.read_text())["counts"] == counts
    assert client.submit(EXAMPLE).job_id() == job.job_id()


def condition(client: Client, job_id: str, kind: ConditionType) -> dict[str, str] | None:
    found = client.describe(job_id)["status"]["conditions"]
    return next((entry for entry in found if entry["type"] == kind.value), None)


def test_the_embedded_stack_outlives_its_client_and_a_second_process_joins_it(embedded: Settings) -> None:
    script = (
        "from qtasks import Client; import sys; print(Client().submit(sys.stdin.read(), name='left-behind').job_id())"
    )
    started = subprocess.run(
        [sys.executable, "-c", script],
        input=BELL_SOURCE,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **embedded.environment()},
    )
    state = running(embedded)
    assert state is not None
    with Client(embedded) as client:
        assert client.job(started.stdout.strip()).result(60).get_counts().keys() == {"00", "11"}
        assert client.job("left-behind").job_id() == started.stdout.strip()
    assert running(embedded) == state


def test_the_bell_job_on_the_embedded_default(embedded: Settings) -> None:
    with Client(embedded) as client:
        assert_is_the_bell_result(client, embedded)


def test_an_idle_embedded_stack_stops_by_itself_and_starts_again(tmp_path: Path) -> None:
    config = Settings(home=tmp_path / "home", embedded_workers=1, embedded_idle_seconds=0.5)
    with Client(config) as client:
        first = client.submit(bell()).result(60)
        assert running(config) is not None
    eventually(lambda: running(config) is None, what="the idle stack stopping")
    with Client(config) as client:
        assert client.job(first.job_id).result(5) == first
    eventually(lambda: running(config) is None, what="the idle stack stopping again")


def test_the_bell_job_on_postgres_redis_and_s3(
    make_stack: Callable[..., Stack], postgres_url: str, redis_url: str, s3: str
) -> None:
    # Inputs this small would lie in their rows; here they are objects, so that their way can be seen.
    stack = make_stack(
        database_url=postgres_url, broker_url=redis_url, object_store_url=s3, inline_input_bytes=0, reconcile_seconds=1
    )
    client = stack.client()
    waiting = client.submit(BELL_QASM, name="waiting")
    assert objects() == [f"lab/pending/default/{waiting.job_id()}/input.qasm"]
    stack.worker()
    assert_is_the_bell_result(client, stack.settings)
    waiting.result(30)
    eventually(lambda: not [key for key in objects() if key.startswith("lab/pending/")], what="pending objects moving")
    kept = [key for key in objects() if waiting.job_id() in key]
    assert f"lab/completed/default/{waiting.job_id()}/input.qasm" in kept
    assert len(kept) == 3


def objects() -> list[str]:
    listed = boto3.client("s3").list_objects_v2(Bucket="qtasks")
    return sorted(entry["Key"] for entry in listed.get("Contents", []))
