"""Both ways to the queue give the same answers, and the same errors, to every public method of Client and Job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from qiskit import QuantumCircuit

from qtasks.client import Client, Job, collection
from qtasks.client.placing import write_lines
from qtasks.errors import InvalidInput
from qtasks.resources import QiskitBackend, QiskitBudget, QiskitJob, QiskitSession
from tests.client.outcomes import alike, outcome
from tests.client.scene import BUDGET, SEEDED, SESSION, TOO_LARGE, WAYS, Scene
from tests.support import insides
from tests.support.circuits import BELL_QASM, BELL_SOURCE, bell, small_qasm

pytestmark = pytest.mark.system

NOBODYS = "01935b1e-0000-7000-8000-000000000000"
DEVICE = QiskitBackend(metadata={"name": "mine"}, spec={"type": "ibm_quantum", "name": "ibm_mine", "account": "shared"})
UNMODELLED = QiskitBackend(metadata={"name": "no-model"}, spec={"type": "ibm_simulator", "name": "no_such_device"})
CODE = {"source": "inline", "code": BELL_QASM}
DOCUMENT = {"metadata": {"name": "whole"}, "spec": {"circuit": CODE, "execution": {"seedSimulator": 7}}}


@dataclass(frozen=True)
class Asked:
    """A client, and alice's jobs as handles of it."""

    client: Client
    scene: Scene

    def job(self, name: str) -> Job:
        return self.client.job(name, namespace="lab")

    def id(self, name: str) -> str:
        return self.scene.jobs[name].job_id()


Call = Callable[[Asked], Any]

# What changes nothing is asked of the same jobs: the answers are the same to the last digit.
OF_THE_CLIENT: dict[str, list[Call]] = {
    "job": [
        lambda a: a.client.job("bell"),
        lambda a: a.client.job(a.id("bell").upper()),
        lambda a: a.client.job("bell", namespace="physics"),
        lambda a: a.client.job("no such job"),
        lambda a: a.client.job("arn:aws:braket:::task/none"),
        lambda a: a.client.job(NOBODYS),
    ],
    "jobs": [
        lambda a: a.client.jobs(),
        lambda a: a.client.jobs(phase="Completed", labels={"kind": "bell"}),
        lambda a: a.client.jobs(labels="kind in (bell, bad),!other", limit=1),
        lambda a: a.client.jobs(all_namespaces=True, phase="Failed"),
        lambda a: a.client.jobs(namespace="physics"),
        lambda a: a.client.jobs(namespace="No Name"),
        lambda a: a.client.jobs(labels="kind=="),
        lambda a: a.client.jobs(phase="Sleeping"),
        lambda a: a.client.jobs(limit=0),
    ],
    "page": [
        lambda a: a.client.page(limit=2),
        lambda a: a.client.page(before=a.id("broken"), limit=2),
        lambda a: a.client.page(backend="local_simulator"),
        lambda a: a.client.page(backend="ibm_fez"),
        lambda a: a.client.page(priority="normal", queues=True),
        lambda a: a.client.page(priority="late"),
        lambda a: a.client.page(since=datetime.now(UTC) - timedelta(hours=1)),
        lambda a: a.client.page(since=datetime.now(UTC) + timedelta(hours=1)),
        lambda a: a.client.page(since=datetime(2026, 1, 1)),
    ],
    "describe": [
        lambda a: a.client.describe(a.id("bell")),
        lambda a: a.client.describe(a.id("large"), queues=True),
        lambda a: a.client.describe("bell"),
        lambda a: a.client.describe(NOBODYS),
    ],
    "explain": [lambda a: a.client.explain(a.id("bell")), lambda a: a.client.explain(NOBODYS)],
    "accuracy": [lambda a: a.client.accuracy(), lambda a: a.client.accuracy(namespace="physics")],
    "events": [
        lambda a: a.client.events(a.id("bell")),
        lambda a: a.client.events(a.id("bell"), after=2**40),
        lambda a: a.client.events(NOBODYS),
    ],
    "wait": [
        lambda a: a.client.wait([a.job("bell"), a.job("bad")]),
        lambda a: a.client.wait([]),
        lambda a: a.client.wait([a.job("bell"), a.job("large")], timeout=0.3),
        lambda a: a.client.wait([Job(a.client, NOBODYS, "none", "lab")], timeout=0.3),
    ],
    "whoami": [lambda a: a.client.whoami()],
    "budgets": [lambda a: a.client.budgets(), lambda a: a.client.budgets(all_namespaces=True)],
    "budget": [lambda a: a.client.budget("research"), lambda a: a.client.budget("none")],
    "backends": [lambda a: a.client.backends(), lambda a: a.client.backends(namespace="physics")],
    "backend": [lambda a: a.client.backend("local_simulator"), lambda a: a.client.backend("none")],
    "sessions": [lambda a: a.client.sessions(), lambda a: a.client.sessions(all_namespaces=True)],
    "session": [lambda a: a.client.session("run"), lambda a: a.client.session("none")],
    "accounts": [lambda a: a.client.accounts(), lambda a: a.client.accounts(all_namespaces=True)],
    "costs": [
        lambda a: a.client.costs(),
        lambda a: a.client.costs("job", since=datetime.now(UTC) - timedelta(days=1), all_namespaces=True),
        lambda a: a.client.costs("label:kind", until=datetime.now(UTC)),
        lambda a: a.client.costs("weather"),
        lambda a: a.client.costs(since=datetime(2026, 1, 1)),
    ],
    "discrepancies": [lambda a: a.client.discrepancies()],
}
OF_A_JOB: dict[str, list[Call]] = {
    "job_id": [lambda a: a.job("bell").job_id()],
    "status": [lambda a: [a.job(name).status() for name in ("bell", "bad", "gone", "large")]],
    "in_final_state": [lambda a: [a.job(name).in_final_state() for name in ("bell", "large")]],
    "done": [lambda a: [a.job(name).done() for name in ("bell", "bad")]],
    "running": [lambda a: a.job("bell").running()],
    "cancelled": [lambda a: [a.job(name).cancelled() for name in ("bell", "gone")]],
    "wait_for_final_state": [
        lambda a: a.job("gone").wait_for_final_state(),
        lambda a: a.job("large").wait_for_final_state(0.2),
    ],
    "result": [
        lambda a: a.job("bell").result(5),
        lambda a: a.job("bad").result(5),
        lambda a: a.job("gone").result(5),
        lambda a: a.job("broken").result(5),
        lambda a: a.job("large").result(0.2),
        lambda a: a.client._gateway.result(a.id("large")),
    ],
    "plot_histogram": [lambda a: a.job("bad").plot_histogram()],
    "metrics": [lambda a: [a.job(name).metrics() for name in ("bell", "bad")]],
    "provider_job_id": [lambda a: a.job("bell").provider_job_id()],
    "usage": [lambda a: a.job("bell").usage()],
    "queue_position": [lambda a: a.job("large").queue_position()],
    "logs": [lambda a: a.job("bell").logs(), lambda a: a.job("bell").logs(after=2**40)],
    "to_dict": [lambda a: a.job("bad").to_dict()],
}


# What changes something is done in a namespace of each way: answers are alike but for ids and times.
def submits(circuit: Any, **options: Any) -> Call:
    def call(asked: Asked) -> Any:
        job = asked.client.submit(circuit, **options)
        return [
            job,
            job.result(30).get_counts(),
            job.to_dict()["spec"],
            asked.client.submit(circuit, **options).created,
        ]

    return call


def again(asked: Asked) -> Any:
    asked.client.submit(small_qasm(1), name="taken", **SEEDED)
    return asked.client.submit(small_qasm(2), name="taken", **SEEDED)


def keyed(asked: Asked) -> Any:
    jobs = [asked.client.submit(small_qasm(n), idempotency_key="schlüssel 1", **SEEDED) for n in (1, 2)]
    return [jobs[0].created, jobs[1].created, jobs[0].job_id() == jobs[1].job_id()]


def all_or_none(asked: Asked) -> Any:
    asked.client.submit(small_qasm(1), name="first", **SEEDED)
    jobs = [QiskitJob(metadata={"name": name}, spec={"circuit": CODE}) for name in ("second", "first")]
    try:
        return asked.client.submit_many(jobs)
    finally:
        assert [job.name for job in asked.client.jobs() if job.name == "second"] == []


def cancels(asked: Asked) -> Any:
    job = asked.client.submit(TOO_LARGE, method="statevector")
    first, second = asked.client.cancel([job]), asked.client.cancel([job])
    return [[one.job_id() == job.job_id() for one in first], second, job.status(), asked.client.cancel([])]


def deletes(asked: Asked) -> Any:
    job = completed(asked.client.submit(bell(), name="short-lived", **SEEDED))
    job.delete()
    return asked.client.submit(bell(), name="short-lived", **SEEDED).created, job.status()


def completed(job: Job) -> Job:
    job.wait_for_final_state(30)
    return job


def ended(job: Job) -> Job:
    job.cancel()
    return job


def redelivers(asked: Asked) -> Any:
    output = {"type": "configmap", "location": "again"}
    job = asked.client.submit({"spec": {"circuit": CODE, "execution": {"seedSimulator": 7}, "output": output}})
    job.result(30)
    job.redeliver()
    return "OutputAsked" in job.logs()


def keeps(asked: Asked) -> Any:
    client, more = asked.client, QiskitBudget(metadata={"name": "research"}, spec={"limit": "$5", "period": "total"})
    return [client.apply_budget(BUDGET), client.apply_budget(BUDGET), client.apply_budget(more), client.budgets()]


def registers(asked: Asked) -> Any:
    client = asked.client
    # A device of which there is no model is kept and shown all the same.
    known = [client.apply_backend(UNMODELLED), client.backend("no-model"), client.delete_backend("no-model")]
    return [
        *known,
        client.apply_backend(DEVICE),
        client.backend("mine"),
        client.delete_backend("mine"),
        client.backends(),
    ]


def opens(asked: Asked) -> Any:
    client = asked.client
    done = [client.apply_session(SESSION), client.apply_session(SESSION), client.delete_session("run")]
    return [*done, client.session("run")]


def other_session(asked: Asked) -> Any:
    spec = {"backend": {"type": "aws_braket"}}
    asked.client.apply_session(QiskitSession(metadata={"name": "own"}, spec=spec))
    return asked.client.apply_session(QiskitSession(metadata={"name": "own"}, spec={**spec, "mode": "batch"}))


CHANGING: dict[str, list[Call]] = {
    # It changes nothing, but says when it was asked.
    "estimate": [
        lambda a: a.client.estimate(bell(), shots=100),
        lambda a: a.client.estimate(BELL_QASM, backend={"type": "ibm_quantum"}),
        lambda a: a.client.estimate(DOCUMENT, namespace=a.client.namespace),
        lambda a: a.client.estimate(BELL_SOURCE),
        lambda a: a.client.estimate(bell(), namespace="physics"),
    ],
    "submit": [
        submits(bell(), name="a", labels={"x": "y"}, **SEEDED),
        submits(BELL_QASM, name="b", priority="high", backend="local_simulator", **SEEDED),
        submits(BELL_SOURCE, name="c", **SEEDED),
        submits(QiskitJob.model_validate(DOCUMENT)),
        again,
        keyed,
        lambda a: a.client.submit(bell(), shots=-1),
        lambda a: a.client.submit(bell(), namespace="physics"),
        lambda a: a.client.submit(bell(), namespace="No Name"),
        lambda a: a.client.submit(bell(), priority="urgent"),
        lambda a: a.client.submit(bell(), namespace="small"),
        lambda a: a.client.submit(42),
        lambda a: a.client.submit(DOCUMENT, shots=3),
        lambda a: a.client.submit("x" * (9 * 2**20)),
        lambda a: a.client.submit({"spec": {"program": "estimator", "circuit": CODE}}),
    ],
    "submit_many": [
        lambda a: a.client.submit_many([small_qasm(n) for n in range(5)], **SEEDED),
        lambda a: [a.client.submit_many([bell()] * 2, idempotency_keys=["k", None], **SEEDED) for _ in range(2)][1],
        lambda a: a.client.submit_many([]),
        all_or_none,
    ],
    "cancel": [cancels, lambda a: a.client.cancel([Job(a.client, NOBODYS, "none", "lab")])],
    "Job.cancel": [lambda a: a.client.submit(TOO_LARGE, method="statevector").cancel()],
    "Job.delete": [
        deletes,
        lambda a: a.client.submit(TOO_LARGE, method="statevector").delete(),
        lambda a: Job(a.client, NOBODYS, "none", "lab").delete(),
    ],
    "Job.redeliver": [
        redelivers,
        lambda a: completed(a.client.submit(bell(), **SEEDED)).redeliver(),
        lambda a: ended(a.client.submit(TOO_LARGE, method="statevector")).redeliver(),
        lambda a: Job(a.client, NOBODYS, "none", "lab").redeliver(),
    ],
    "apply_budget": [keeps, lambda a: a.client.apply_budget(QiskitBudget(spec={"limit": "$1", "period": "total"}))],
    "delete_budget": [lambda a: a.client.delete_budget("research"), lambda a: a.client.delete_budget("none")],
    "apply_backend": [registers],
    "delete_backend": [lambda a: a.client.delete_backend("none")],
    "apply_session": [opens, other_session],
    "delete_session": [lambda a: a.client.delete_session("own"), lambda a: a.client.delete_session("none")],
}
NOT_HERE = {"close", "principals", "prices"}
"""What is tried in tests of its own: only the installation's own clients have principals and prices."""


def cases(calls: dict[str, list[Call]]) -> list[Any]:
    return [pytest.param(call, id=f"{name}-{n}") for name, each in calls.items() for n, call in enumerate(each)]


def test_every_public_method_is_compared() -> None:
    public = {name for name in dir(Client) if not name.startswith("_")}
    assert public == OF_THE_CLIENT.keys() | {name for name in CHANGING if "." not in name} | NOT_HERE
    assert {name for name in dir(Job) if not name.startswith("_")} == OF_A_JOB.keys() | {
        "cancel",
        "delete",
        "redeliver",
    }


@pytest.mark.parametrize("call", cases(OF_THE_CLIENT) + cases(OF_A_JOB))
def test_both_ways_answer_the_same(scene: Scene, call: Call) -> None:
    direct, rest = (outcome(lambda way=way: call(Asked(scene.client(way), scene))) for way in WAYS)
    assert rest == direct


@pytest.mark.parametrize("call", cases(CHANGING))
def test_both_ways_do_the_same(scene: Scene, call: Call) -> None:
    done = []
    for way in WAYS:
        client = scene.client(way, namespace=way)
        done.append(alike(outcome(lambda client=client: call(Asked(client, scene))), client))
    assert done[0] == done[1]


@pytest.mark.parametrize("who", [None, "qtk_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "victor"])
def test_both_ways_refuse_the_same(scene: Scene, who: str | None) -> None:
    said = []
    for way in WAYS:
        client = scene.client(way, who)
        stolen = Job(client, scene.jobs["large"].job_id(), "large", "lab")
        calls: list[Callable[[], Any]] = [
            lambda client=client: client.submit(bell()),  # type: ignore[misc]
            lambda stolen=stolen: stolen.cancel(),  # type: ignore[misc]
            lambda client=client: client.delete_budget("research"),  # type: ignore[misc]
            lambda client=client: client.jobs(namespace="physics"),  # type: ignore[misc]
            lambda client=client: client.whoami(),  # type: ignore[misc]
        ]
        said.append([outcome(call) for call in calls])
    assert said[0] == said[1]
    assert said[0][0][0] == "Forbidden"


@pytest.mark.parametrize("way", WAYS)
def test_the_phases_of_jobs_are_told_while_they_are_waited_for(scene: Scene, way: str) -> None:
    client = scene.client(way, namespace=way)
    jobs = client.submit_many([small_qasm(n) for n in range(30)], **SEEDED)
    seen: dict[str, list[str]] = {}
    client.wait(jobs, timeout=60, seen=lambda job_id, phase: seen.setdefault(job_id, []).append(phase.value))
    assert {phases[-1] for phases in seen.values()} == {"Completed"} and len(seen) == 30
    assert (
        jobs[0].wait_for_final_state(1, seen=lambda phase: seen.setdefault("", []).append(phase.value)) == "Completed"
    )
    assert seen[""] == ["Completed"]


def test_a_job_that_one_way_submitted_is_the_others_too(scene: Scene) -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.measure_all(add_bits=False)
    direct, rest = (scene.client(way) for way in WAYS)
    first = rest.submit(circuit, name="shared", **SEEDED)
    second = direct.submit(circuit, name="shared", **SEEDED)
    assert (first.created, second.created) == (True, False) and first.job_id() == second.job_id()
    assert first.result(30) == second.result(30)


def test_the_commit_that_is_kept_is_the_submitters(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("c0ffee" + "0" * 34)
    monkeypatch.chdir(tmp_path)
    for way in WAYS:
        (job,) = scene.client(way).submit_many([small_qasm(9)], **SEEDED)
        found = insides.row(scene.client("direct").job(job.job_id()))
        assert found.git_commit == "c0ffee" + "0" * 34


def test_a_page_goes_on_where_the_one_before_it_ended(scene: Scene) -> None:
    client = scene.client("rest", namespace="rest")
    client.submit_many([small_qasm(n) for n in range(12)], labels={"page": "1"}, **SEEDED)
    whole = [one["metadata"]["uid"] for one in client.page(labels="page=1", limit=100)]
    before, parts = None, []
    while part := client.page(labels="page=1", limit=5, before=before):
        parts += [one["metadata"]["uid"] for one in part]
        before = parts[-1]
    assert parts == whole and len(whole) == 12


def test_amounts_are_exact_over_rest_too(scene: Scene) -> None:
    for way in WAYS:
        for one in scene.client(way).costs("job"):
            assert isinstance(one["spent"], Decimal)


@pytest.mark.parametrize("way", WAYS)
def test_jobs_are_collected(scene: Scene, way: str, tmp_path: Path) -> None:
    client, file = scene.client(way), tmp_path / "submitted.jsonl"
    write_lines(client, [client.job(name) for name in ("bell", "bad", "large")], file)
    file.write_text(file.read_text() + '{"job_id": "d541c5", "status": "submitted"}\n')
    wanted = collection.once([*collection.of_file(client, file), *collection.of_ids(client, ["bell", "broken"])])
    collection.refresh(client, wanted)
    assert [one.word for one in wanted] == ["DONE", "ERROR", "QUEUED", "QUEUED", "DONE"]
    assert collection.look(client, wanted, seconds=1).unanswered == ()
    document = collection.results(client, wanted)
    assert [job["status"] for job in document["jobs"]] == ["completed", "failed", "submitted", "submitted", "error"]
    assert document["jobs"][0]["counts"] == client.job("bell").result(1).get_counts()
    assert collection.of_namespace(client) == []


def test_what_needs_the_installation_says_so_over_rest(scene: Scene) -> None:
    client = scene.client("rest")
    for ask in (lambda: client.principals, lambda: client.prices):
        with pytest.raises(InvalidInput) as refused:
            ask()
        assert refused.value.reason == "RestUnsupported" and "QTASKS_BROKER_URL" in refused.value.hint
    assert insides.direct(scene.client("direct")).installation.prices.prices
