"""A production installation, every part of which is replaced under load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.kubernetes import ApiServer
from tests.support.s3_server import S3Server
from tests.support.servers import eventually
from tests.system.test_faults import assert_once_completed
from tests.topology.guarded import PASSWORD, GuardedPostgres, GuardedRedis
from tests.topology.load import Load
from tests.topology.production import NAMESPACE, Production

pytestmark = pytest.mark.system


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[GuardedRedis]:
    server = GuardedRedis(tmp_path / "redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[GuardedPostgres]:
    server = GuardedPostgres(tmp_path / "postgres")
    server.create()
    yield server
    server.stop()


@pytest.fixture
def objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where results lie, for whoever has the key that is in the environment."""
    server = S3Server(tmp_path / "s3", "results")
    try:
        server.create()
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield "s3://results/qtasks"
    finally:
        server.stop()


@pytest.fixture
def production(
    tmp_path: Path, redis_server: GuardedRedis, postgres: GuardedPostgres, objects: str
) -> Iterator[Production]:
    with ApiServer(NAMESPACE) as cluster:
        found = Production(tmp_path, postgres.guarded(), redis_server.url, objects, cluster)
        try:
            yield found
        finally:
            found.close()


def test_every_part_is_replaced_under_load_and_nothing_is_lost_or_done_twice(
    production: Production, redis_server: GuardedRedis, postgres: GuardedPostgres
) -> None:
    production.start(production.parts)
    assert redis_server.refuses() and postgres.refuses()
    assert httpx.get(production.address("flower")).status_code == 401
    assert httpx.get(production.address("flower"), auth=("ops", PASSWORD)).status_code == 200
    load = Load(production)
    load.start()
    eventually(lambda: len(load.names) > 10, what="some jobs")

    # One of two first, then the other with what there is only one of; then the servers.
    firsts = [part for part in production.parts if part.name.endswith("-1")]
    production.replace(firsts)
    production.replace([part for part in production.parts if part not in firsts])
    redis_server.restart()
    postgres.restart()
    after = len(load.names)
    eventually(lambda: len(load.names) > after + 10, seconds=60, what="jobs after the restarts")
    load.stop()
    assert load.refused == []

    client = production.stack.client(NAMESPACE)
    applied = [name for name in load.names if name.startswith("applied")]

    def mirrored() -> set[str]:
        resources = production.cluster.all("QiskitJob", NAMESPACE)
        return {
            resource["metadata"]["name"]
            for resource in resources
            if resource.get("status", {}).get("phase") == "Completed"
        }

    eventually(lambda: mirrored() >= set(applied), seconds=90, what="the resources of all jobs being Completed")
    jobs = [client.job(name) for name in load.names]
    client.wait(jobs, timeout=90)
    assert_once_completed(client, jobs)
    documents = [job.to_dict() for job in jobs]
    assert {document["status"]["attempt"] for document in documents} == {1}
    bells = [job.result(5).get_counts() for job in jobs if job.name.startswith("applied")]
    assert all(counts == bells[0] for counts in bells)
    assert client.discrepancies() == []
    assert client.jobs(limit=1000, phase="Failed") == []
