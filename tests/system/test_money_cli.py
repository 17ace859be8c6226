"""Budgets, costs, devices and choices on the command line, on a queue whose simulations cost 50 cents a second."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from qtasks.client import Client
from qtasks.store import Store, accounts, catalogue
from tests.support.circuits import BELL_QASM
from tests.support.remote import account, write_accounts
from tests.support.servers import Postgres, Redis, eventually
from tests.support.stack import Stack, own_namespace, shared_stack
from tests.system.test_cli import Answer, ask

pytestmark = pytest.mark.system

RATE = Decimal("0.5")
ONE_SECOND = 500_000
"""Micro-dollars that are reserved for a job that may run for a second."""


@pytest.fixture(scope="module")
def stack(postgres: Postgres, redis_server: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A worker for what runs here; nobody visits the account, so that its jobs wait for their turn."""
    folder = tmp_path_factory.mktemp("money")
    lab = account("lab", "ibm", {"provider": "ibm_quantum", "plan": "pay-as-you-go"})
    settings = write_accounts(folder, lab, secrets={"ibm": {"api-key": "secret"}})
    with shared_stack(folder, postgres, redis_server, 14, simulator_rate=RATE, **settings) as stack:
        yield stack


def written(folder: Path, kind: str, name: str, spec: Mapping[str, Any], **metadata: Any) -> Path:
    path = folder / f"{name}.yaml"
    resource = {
        "apiVersion": "quantum.io/v1",
        "kind": kind,
        "metadata": {"name": name, **metadata},
        "spec": dict(spec),
    }
    path.write_text(yaml.safe_dump(resource))
    return path


def bell(folder: Path, name: str, *, labels: Mapping[str, str] | None = None, **spec: Any) -> Path:
    """A Bell pair that may run for a second."""
    code = {"circuit": {"source": "inline", "format": "qasm2", "code": BELL_QASM}}
    execution = {"execution": {"shots": 100, "maxExecutionTime": 1}}
    return written(folder, "QiskitJob", name, {**code, **execution, **spec}, labels=dict(labels or {}))


def done(answer: Answer) -> str:
    assert answer.code == 0, answer.err
    return answer.out


def document(stack: Stack, *words: str) -> Any:
    return json.loads(done(ask(stack, *words, "-o", "json")))


def test_a_job_waits_for_its_budget_is_explained_and_goes_on_when_it_is_raised(stack: Stack, tmp_path: Path) -> None:
    where = own_namespace()
    limit = {"limit": "$0.30", "period": "total", "alertThresholds": [50]}
    budget = written(tmp_path, "QiskitBudget", "research", limit)
    here = {"backend": {"type": "local_simulator"}, "backendSelection": {"preset": "cost-optimized"}}
    job = bell(tmp_path, "bell", labels={"team": "vqe"}, budget={"costCenter": "physics"}, **here)
    before = document(stack, "estimate", str(job), "-n", where)
    assert before["weights"]["preset"] == "cost-optimized"
    assert done(ask(stack, "apply", "-f", budget, "-f", job, "-n", where)) == (
        "qiskitbudget/research created\nqiskitjob/bell created\n"
    )

    def refused() -> bool:
        return "BudgetExceeded" in ask(stack, "describe", "job", "bell", "-n", where).out

    eventually(refused, seconds=30, what="a job waiting for its budget")
    described = done(ask(stack, "describe", "job", "bell", "-n", where))
    assert "Checked:         False: Budget exceeded: research allows $0.30 in total" in described
    assert "Cost centre:     physics" in described
    budgets = done(ask(stack, "get", "budgets", "-n", where)).splitlines()
    assert budgets[1].split() == [
        "research",
        "$0.30",
        "$0.00",
        "$0.00",
        "$0.30",
        "░" * 10,
        "0%",
        "total",
        "never",
        "<none>",
    ]
    assert f"Waiting jobs:  {where}/bell" in done(ask(stack, "describe", "budget", "research", "-n", where))

    explained = done(ask(stack, "explain", "bell", "-n", where))
    assert "* local_simulator" in explained
    assert "$0.5 a second (QTASKS_SIMULATOR_RATE)" in explained
    assert "(cost-optimized)" in explained
    assert "Past estimates:" in explained
    after = document(stack, "explain", "bell", "-n", where)
    assert after["selection"]["chosen"] == before["selection"]["chosen"]
    assert after["selection"]["candidates"][0]["cost"] == before["selection"]["candidates"][0]["cost"]

    budget.write_text(budget.read_text().replace("$0.30", "$5.00"))
    assert done(ask(stack, "apply", "-f", budget, "-n", where)) == "qiskitbudget/research configured\n"
    assert done(ask(stack, "apply", "-f", budget, "-n", where)) == "qiskitbudget/research unchanged\n"
    done(ask(stack, "wait", "bell", "-n", where, "--timeout", "60s"))

    with stack.client(where) as client:
        charged = _cost_micros(client, "bell")
    assert 0 < charged <= ONE_SECOND
    for by, key in (("namespace", where), ("cost-center", "physics"), ("label=team", "vqe")):
        found = document(stack, "costs", "--by", by, "-n", where)
        assert [(one["key"], one["spentMicros"], one["reservedMicros"]) for one in found["groups"]] == [
            (key, charged, 0)
        ]
        assert found["total"]["spentMicros"] == charged
        assert found["discrepancies"] == []
    rows = list(csv.DictReader(io.StringIO(done(ask(stack, "costs", "--by", "job", "-n", where, "-o", "csv")))))
    assert [(row["name"], int(Decimal(row["spent_usd"]) * 10**6)) for row in rows] == [(f"{where}/bell", charged)]
    chart = done(ask(stack, "costs", "--by", "month", "-n", where))
    assert "█" in chart
    assert "<total>" in chart
    assert ask(stack, "costs", "--until", "2026-01-01", "-n", where).err.startswith("Nothing was charged")
    assert document(stack, "get", "budget", "research", "-n", where)["status"]["spent"] != "$0.00"

    assert done(ask(stack, "delete", "budget", "research", "-n", where)) == "qiskitbudget/research deleted\n"
    gone = ask(stack, "delete", "budget", "research", "-n", where)
    assert (gone.code, "[BudgetNotFound]" in gone.err) == (4, True)
    assert document(stack, "costs", "-n", where)["total"]["spentMicros"] == charged


def _cost_micros(client: Client, name: str) -> int:
    cost = client.describe(client.job(name).job_id())["status"]["cost"]
    return int(Decimal(cost.removeprefix("$")) * 10**6)


def test_devices_are_registered_listed_described_and_deleted(stack: Stack, tmp_path: Path) -> None:
    where = own_namespace()
    device = written(tmp_path, "QiskitBackend", "ours", {"type": "ibm_quantum", "name": "ibm_ours", "account": "lab"})
    assert done(ask(stack, "apply", "-f", device, "-n", where)) == "qiskitbackend/ours created\n"
    assert done(ask(stack, "apply", "-f", device, "-n", where)) == "qiskitbackend/ours unchanged\n"
    lines = done(ask(stack, "get", "backends", "-n", where)).splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["NAME", "local_simulator"]
    (ours,) = (line.split() for line in lines if line.startswith("ibm_ours"))
    assert (ours[1], ours[2], ours[4], ours[-1]) == ("ibm_quantum", "lab", "unknown", "stale")
    assert "Registered as:   ours" in done(ask(stack, "describe", "backend", "ours", "-n", where))
    assert document(stack, "get", "backend", "ours", "-n", where)["registeredAs"] == ["ours"]
    assert done(ask(stack, "delete", "backend/ours", "-n", where)) == "qiskitbackend/ours deleted\n"
    missing = ask(stack, "describe", "backend", "ours", "-n", where)
    assert (missing.code, "[BackendNotFound]" in missing.err) == (4, True)


def test_jobs_that_wait_have_a_place_and_an_estimated_start(stack: Stack, tmp_path: Path) -> None:
    where = own_namespace()
    store = Store(stack.settings.database)
    listed = catalogue.Listed(name="ibm_busy", type="ibm_quantum", qubits=156, pending_jobs=60, wait_seconds=1200.0)
    with store.begin() as tx:
        catalogue.keep_listing(tx, "lab", [listed])
        accounts.ensure(tx, "lab", "ibm_quantum")
        accounts.pause(tx, "lab", seconds=600, reason="Paused", message="Nothing is handed over.")
    store.close()
    there = {"backend": {"type": "ibm_quantum", "name": "ibm_busy", "account": "lab"}}
    for name, priority in (("second", "normal"), ("third", "low"), ("first", "high")):
        job = bell(tmp_path, name, execution={"shots": 10, "priority": priority}, **there)
        done(ask(stack, "apply", "-n", where, "-f", job))

    def parked() -> bool:
        described = done(ask(stack, "describe", "jobs", "first", "second", "third", "-n", where))
        return described.count("in the queue of account lab") == 3

    eventually(parked, seconds=30, what="jobs waiting for their turn under an account")
    answer = ask(stack, "get", "jobs", "-n", where, "-o", "wide")
    title, *lines = answer.out.splitlines()
    place = title.split().index("POSITION")
    assert {line.split()[0]: line.split()[place] for line in lines} == {"first": "1", "second": "2", "third": "3"}
    assert all("in 19m" in line for line in lines)
    assert answer.err.startswith("Past estimates: none to compare with")
    described = done(ask(stack, "describe", "job", "third", "-n", where))
    assert "Position:           3 in the queue of account lab" in described
    assert "as was thought when its device was chosen" in described
    assert "Reserved:        $" in described
    done(ask(stack, "cancel", "--all", "-n", where))
    assert "Position" not in done(ask(stack, "describe", "job", "third", "-n", where))
