"""Jobs under budgets: reserved when they are scheduled, settled at the provider's figure, and waiting until there is
room."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from qtasks.client import Client
from qtasks.client.job import Job
from qtasks.lifecycle import Phase
from qtasks.resources import QiskitBudget
from qtasks.store import ledger
from tests.support import insides
from tests.support.ibm_server import IBMServer
from tests.support.processes import pool_processes
from tests.support.remote import account, remote_stack, write_accounts
from tests.support.servers import Postgres, Redis, eventually
from tests.support.stack import Stack, own_namespace

pytestmark = pytest.mark.system

BELL = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q -> c;'
MOST = Decimal("16.00")
"""What a job of at most ten quantum seconds costs at $1.60 a second."""


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, redis_server: Redis
) -> Iterator[tuple[Stack, IBMServer]]:
    folder = tmp_path_factory.mktemp("budgets")
    with IBMServer(devices=("lagos",), plan="pay-as-you-go") as server:
        values = write_accounts(folder, account("lab", "ibm", server.account()), secrets={"ibm": server.secret()})
        with remote_stack(folder, postgres, redis_server, 12, doubt_seconds=0.5, **values) as stack:
            yield stack, server


@pytest.fixture
def ibm(shared: tuple[Stack, IBMServer]) -> Iterator[IBMServer]:
    yield shared[1]
    shared[1].clear_faults()
    shared[1].release()


@pytest.fixture
def client(shared: tuple[Stack, IBMServer]) -> Client:
    return shared[0].client(own_namespace())


def limit(client: Client, amount: str) -> str:
    resource = {"metadata": {"name": "team"}, "spec": {"limit": amount, "period": "monthly"}}
    return client.apply_budget(QiskitBudget(**resource))


def submit(client: Client, **spec: Any) -> Job:
    return client.submit(
        {
            "apiVersion": "quantum.io/v1",
            "kind": "QiskitJob",
            "metadata": {"namespace": client.namespace},
            "spec": {
                "backend": {"type": "ibm_quantum"},
                "circuit": {"source": "inline", "code": BELL},
                "execution": {"shots": 100, "maxExecutionTime": "10s"},
                **spec,
            },
        }
    )


def outstanding(client: Client) -> int:
    with insides.store(client).read() as tx:
        return ledger.outstanding(tx)


def condition(client: Client, job: Job, kind: str) -> dict[str, Any]:
    found = client.describe(job.job_id())["status"].get("conditions", [])
    return next((one for one in found if one["type"] == kind), {})


def test_a_job_reserves_its_most_and_is_charged_what_it_used(ibm: IBMServer, client: Client) -> None:
    limit(client, "$20")
    ibm.hold()
    job = submit(client)
    made = eventually(lambda: ibm.tagged(f"qtasks-{job.job_id()}-1"), seconds=60, what="a job at IBM")[0]
    assert made.max_seconds == 10
    assert outstanding(client) == int(MOST * 1_000_000)
    ibm.release()
    assert job.wait_for_final_state(timeout=60) is Phase.COMPLETED
    assert outstanding(client) == 0
    cost = job.result().provenance.cost
    assert cost is not None and 0 < cost < MOST
    spent = client.budget("team")["status"]["spent"]
    assert Decimal(str(spent).lstrip("$")) == pytest.approx(cost)


def test_a_job_over_budget_waits_and_starts_by_itself_when_the_budget_is_raised(ibm: IBMServer, client: Client) -> None:
    limit(client, "$10")
    job = submit(client)
    eventually(lambda: condition(client, job, "BudgetChecked").get("status") == "False", seconds=60, what="a refusal")
    said = condition(client, job, "BudgetChecked")
    assert said["reason"] == "BudgetExceeded"
    assert "Budget exceeded" in said["message"] and "$16" in said["message"]
    assert job.status() is Phase.SCHEDULING
    assert not ibm.tagged(f"qtasks-{job.job_id()}-1")
    assert limit(client, "$20") == "configured"
    assert job.wait_for_final_state(timeout=60) is Phase.COMPLETED


def test_a_job_dearer_than_its_own_maximum_waits(client: Client) -> None:
    job = submit(client, budget={"maxCost": "$1.00"})
    eventually(lambda: condition(client, job, "BudgetChecked").get("status") == "False", seconds=60, what="a refusal")
    assert "maxCost is $1.00" in condition(client, job, "BudgetChecked")["message"]
    assert job.cancel()


def test_what_a_cancelled_job_reserved_is_released(ibm: IBMServer, client: Client) -> None:
    limit(client, "$20")
    ibm.hold()
    job = submit(client)
    eventually(lambda: ibm.tagged(f"qtasks-{job.job_id()}-1"), seconds=60, what="a job at IBM")
    job.cancel()
    eventually(lambda: outstanding(client) == 0, seconds=60, what="the release")


def test_a_worker_killed_between_reservation_and_submission_leaks_nothing(
    shared: tuple[Stack, IBMServer], ibm: IBMServer, client: Client
) -> None:
    limit(client, "$20")
    ibm.latency(r"/jobs$", 2.0)
    job = submit(client)
    eventually(lambda: outstanding(client) > 0, seconds=60, what="a reservation")
    for pid in pool_processes(shared[0].processes[0]):
        os.kill(pid, signal.SIGKILL)
    job.cancel()
    ibm.clear_faults()
    eventually(lambda: outstanding(client) == 0, seconds=60, what="the release")


def test_why_a_device_was_chosen_is_kept(ibm: IBMServer, client: Client) -> None:
    job = submit(client)
    assert job.wait_for_final_state(timeout=60) is Phase.COMPLETED
    table = client.explain(job.job_id())
    (row,) = table["selection"]["candidates"] if "candidates" in table["selection"] else table["selection"]["rows"]
    assert row["device"] == "ibm_lagos"


def test_a_job_that_may_fall_back_runs_on_a_simulator_when_no_device_is_wide_enough(client: Client) -> None:
    wide = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[9]; creg c[9]; h q[0]; measure q -> c;'
    job = submit(
        client,
        circuit={"source": "inline", "code": wide},
        backendSelection={"preset": "balanced", "fallbackToSimulator": True},
    )
    assert job.wait_for_final_state(timeout=60) is Phase.COMPLETED
    assert job.result().provenance.backend == "local_simulator"
