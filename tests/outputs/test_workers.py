"""Outputs through real workers: a target that is away, and a worker killed in the middle of a delivery."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import update

from qtasks.lifecycle import ConditionType, Phase
from qtasks.store import Store, jobs, records
from qtasks.store.tables import outputs
from qtasks.store.types import moment
from tests.outputs.desk import write_secret
from tests.support.relay import Relay
from tests.support.s3_server import S3Server
from tests.support.servers import eventually
from tests.support.stack import Stack

pytestmark = pytest.mark.system

BELL = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q -> c;'


def job(name: str, bucket: str) -> dict[str, Any]:
    return {
        "kind": "QiskitJob",
        "apiVersion": "quantum.io/v1",
        "metadata": {"name": name},
        "spec": {
            "backend": {"type": "local_simulator"},
            "circuit": {"source": "inline", "code": BELL},
            "execution": {"shots": 100, "seedSimulator": 7},
            "output": {
                "type": "s3",
                "location": f"s3://{bucket}/{{name}}.json",
                "credentials": {"secretRef": {"name": f"tenant-{name}"}},
            },
        },
    }


def test_a_result_gets_there_whoever_dies_and_the_circuit_runs_once(
    make_stack: Callable[..., Stack], postgres_url: str, redis_url: str, s3_server: S3Server
) -> None:
    with Relay(s3_server.port) as relay, closing(Store(postgres_url)) as store:
        stack = make_stack(
            database_url=postgres_url,
            broker_url=redis_url,
            reconcile_seconds=0.5,
            source_hosts="127.0.0.1",
            source_http=True,
        )
        endpoint = f"http://127.0.0.1:{relay.port}"
        keys = {"access_key_id": s3_server.key_id, "secret_access_key": s3_server.secret}
        for name in ("tenant-away", "tenant-killed"):  # what is away for one is not asked again for a while
            write_secret(stack.settings, name, endpoint=endpoint, **keys)
        worker = stack.worker()
        stack.control()
        client = stack.client()

        relay.down()
        away = client.submit(job("away", s3_server.bucket))
        assert away.wait_for_final_state(60) == Phase.COMPLETED
        eventually(lambda: _condition(store, away.job_id()) == ("False", "OutputRetrying"), what="the first try")
        assert "away.json" not in s3_server.names()
        relay.up()
        _let_be_due(store)
        eventually(lambda: _condition(store, away.job_id()) == ("True", "Delivered"), what="the delivery")

        relay.stall = True
        killed = client.submit(job("killed", s3_server.bucket))
        eventually(lambda: relay.taken, what="a delivery under way")
        worker.kill()
        assert client.job(killed.job_id()).status() == Phase.COMPLETED
        assert _condition(store, killed.job_id()) is None
        relay.stall = False
        _let_be_due(store)
        eventually(lambda: _condition(store, killed.job_id()) == ("True", "Delivered"), what="the delivery")

        for name, handle in (("away", away), ("killed", killed)):
            found = json.loads(s3_server.read(f"{name}.json")["Body"])
            assert (found["job_id"], found["counts"]) == (handle.job_id(), handle.result().get_counts())
            with store.read() as tx:
                assert len(jobs.attempts_of(tx, handle.job_id())) == 1
                events = [event.reason for _, event in records.events_of(tx, handle.job_id())]
            assert events.count("Completed") == 1
        said = "".join(process.text for process in stack.processes)
        assert s3_server.secret not in said


def _condition(store: Store, job_id: str) -> tuple[str, str] | None:
    with store.read() as tx:
        for known in records.conditions_of(tx, [job_id])[job_id]:
            if known.condition.type is ConditionType.OUTPUT_DELIVERED:
                return known.condition.status.value, known.condition.reason
    return None


def _let_be_due(store: Store) -> None:
    """Nobody wants to wait for a lease here."""
    with store.begin() as tx:
        tx.execute(update(outputs).values(due_at=moment(-1)))
