"""Two namespaces on one installation: neither sees anything of the other, by whatever way it asks."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
import typer
from pydantic import SecretStr
from sqlalchemy import insert, select
from typer.testing import CliRunner

from qtasks.access import Role
from qtasks.cli import auth
from qtasks.cli.app import Commands
from qtasks.client import Client, Job, accounts, collection, recovery
from qtasks.client.adoption import require_adoption
from qtasks.client.direct import Direct
from qtasks.client.gateway import Kept, Query
from qtasks.client.principals import Principals
from qtasks.client.submission import Submission, from_resource
from qtasks.errors import Forbidden, NotFound
from qtasks.resources import QiskitBackend, QiskitBudget, QiskitJob, QiskitSession
from qtasks.settings import settings as application_settings
from qtasks.store import accounts as account_rows
from qtasks.store import tables, tenants
from qtasks.store.types import moment
from tests.support import insides
from tests.support.circuits import BELL_QASM, BELL_SOURCE, bell
from tests.support.servers import Postgres, Redis
from tests.support.stack import Stack, shared_stack

pytestmark = pytest.mark.system

CONFIG = """
accounts:
  - {name: shared, provider: ibm_quantum, plan: premium, namespaces: [lab, physics]}
  - {name: secret-lab, provider: ibm_quantum, plan: premium, namespaces: [physics]}
tenants:
  - {namespace: physics, waiting: 1000}
"""
SEEDED = {"shots": 200, "seed_simulator": 7}
APP = typer.Typer(cls=Commands)
auth.add_to(APP)
APP.callback()(lambda: None)


@dataclass(frozen=True)
class Scene:
    """A stack, its admin's token, alice's client in `lab`, bob's in `physics`, and a job that bob ran."""

    stack: Stack
    tokens: dict[str, str]
    alice: Client
    bob: Client
    job: Job

    def client(self, name: str, namespace: str = "lab") -> Client:
        token = SecretStr(self.tokens[name])
        return Client(self.stack.settings.model_copy(update={"api_token": token}), namespace=namespace)

    @property
    def stolen(self) -> Job:
        """A handle of bob's job in alice's hands, as if it were hers."""
        return Job(self.alice, self.job.job_id(), "mine", "lab")

    @property
    def gateway(self) -> Direct:
        """What alice's client speaks through."""
        return insides.direct(self.alice)

    @property
    def submission(self) -> Submission:
        job = QiskitJob(spec={"circuit": {"source": "inline", "code": BELL_QASM}})
        return from_resource(job, self.stack.settings)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, redis_server: Redis) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("access")
    config = folder / "config.yaml"
    config.write_text(CONFIG)
    with shared_stack(folder, postgres, redis_server, 13, config=config) as stack:
        fresh = stack.client()
        first = fresh.principals.create("root")
        assert first.token is not None
        tokens = {"root": first.token}
        with Client(stack.settings.model_copy(update={"api_token": SecretStr(first.token)})) as root:
            for name, namespace in (("alice", "lab"), ("bob", "physics")):
                root.principals.create(name)
                root.principals.bind(name, Role.OPERATOR, namespace)
                tokens[name] = root.principals.token(name)[0]
            root.apply_budget(BUDGET, namespace="physics")
        scene = Scene(stack, tokens, fresh, fresh, Job(fresh, "", "", ""))
        with scene.client("alice") as alice, scene.client("bob", "physics") as bob:
            job = bob.submit(bell(), name="bell", labels={"team": "secret"}, **SEEDED)
            job.result(60)
            _at_provider(bob, job)
            bob.apply_session(QiskitSession(metadata={"name": "run"}, spec={"backend": {"type": "aws_braket"}}))
            yield Scene(stack, tokens, alice, bob, job)


def _at_provider(client: Client, job: Job) -> None:
    """A job at a provider, as far as the tables go."""
    row = {"job_id": job.job_id(), "attempt": 1, "account": "shared", "device": "ibm_fez", "tag": "t", "state": "done"}
    with insides.store(client).begin() as tx:
        account_rows.ensure(tx, "shared", "ibm_quantum")
        account_rows.ensure(tx, "ibm-quantum.physics.own-secret", "ibm_quantum")
        times = {"intended_at": moment(), "tried_at": moment()}
        values = {**row, **times, "compiled": {}, "settled": True, "provider_job_id": "d541c5"}
        tx.execute(insert(tables.provider_jobs).values(**values))


Call = Callable[[Scene], Any]
BUDGET = QiskitBudget(metadata={"name": "research"}, spec={"limit": "$100.00", "period": "monthly"})
DEVICE = QiskitBackend(metadata={"name": "by-hand"}, spec={"type": "ibm_quantum", "name": "ibm_hidden"})
SESSION = QiskitSession(metadata={"name": "run"}, spec={"backend": {"type": "aws_braket"}})

OF_THE_CLIENT: dict[str, Call] = {
    "submit": lambda s: s.alice.submit(bell(), namespace="physics"),
    "submit_many": lambda s: s.alice.submit_many([bell()], namespace="physics"),
    "job": lambda s: s.alice.job(s.job.job_id()),
    "jobs": lambda s: s.alice.jobs(namespace="physics"),
    "page": lambda s: s.alice.page(namespace="physics", queues=True),
    "describe": lambda s: s.alice.describe(s.job.job_id()),
    "events": lambda s: s.alice.events(s.job.job_id()),
    "wait": lambda s: s.alice.wait([s.stolen], timeout=1),
    "cancel": lambda s: s.alice.cancel([s.stolen]),
    "accounts": lambda s: s.alice.accounts(namespace="physics"),
    "apply_session": lambda s: s.alice.apply_session(SESSION, namespace="physics"),
    "sessions": lambda s: s.alice.sessions(namespace="physics"),
    "session": lambda s: s.alice.session("run", namespace="physics"),
    "delete_session": lambda s: s.alice.delete_session("run", namespace="physics"),
    "explain": lambda s: s.alice.explain(s.job.job_id()),
    "accuracy": lambda s: s.alice.accuracy(namespace="physics"),
    "estimate": lambda s: s.alice.estimate(bell(), namespace="physics"),
    "apply_budget": lambda s: s.alice.apply_budget(BUDGET, namespace="physics"),
    "budgets": lambda s: s.alice.budgets(namespace="physics"),
    "budget": lambda s: s.alice.budget("research", namespace="physics"),
    "delete_budget": lambda s: s.alice.delete_budget("research", namespace="physics"),
    "costs": lambda s: s.alice.costs(namespace="physics"),
    "discrepancies": lambda s: s.alice.discrepancies(),
    "apply_backend": lambda s: s.alice.apply_backend(DEVICE, namespace="physics"),
    "backends": lambda s: s.alice.backends(namespace="physics"),
    "backend": lambda s: s.alice.backend("by-hand", namespace="physics"),
    "delete_backend": lambda s: s.alice.delete_backend("by-hand", namespace="physics"),
}
OF_THE_GATEWAY: dict[str, Call] = {
    "submit": lambda s: s.gateway.submit([s.submission], "physics", [None]),
    "find": lambda s: s.gateway.find(s.job.job_id(), "lab"),
    "jobs": lambda s: s.gateway.jobs(Query(namespace="physics")),
    "queues": lambda s: list(s.gateway.queues([s.job.job_id()])),
    "describe": lambda s: s.gateway.describe(s.job.job_id()),
    "phases": lambda s: s.gateway.phases([s.job.job_id()]),
    "wait": lambda s: s.gateway.wait([s.job.job_id()], timeout=1),
    "cancel": lambda s: s.gateway.cancel([s.job.job_id()]),
    "delete_job": lambda s: s.gateway.delete_job(s.job.job_id()),
    "redeliver": lambda s: s.gateway.redeliver(s.job.job_id()),
    "result": lambda s: s.gateway.result(s.job.job_id()),
    "stored_result": lambda s: s.gateway.stored_result(s.job.job_id()),
    "collect": lambda s: [x for x in s.gateway.collect([{"job_id": s.job.job_id()}], "lab") if x is not None],
    "look": lambda s: s.gateway.look([s.job.job_id()], seconds=0),
    "events": lambda s: s.gateway.events(s.job.job_id()),
    "explain": lambda s: s.gateway.explain(s.job.job_id()),
    "estimate": lambda s: s.gateway.estimate([s.submission], "physics"),
    "accuracy": lambda s: s.gateway.accuracy("physics"),
    "apply": lambda s: s.gateway.apply(Kept.BUDGETS, BUDGET, "physics"),
    "listing": lambda s: s.gateway.listing(Kept.BUDGETS, "physics"),
    "kept": lambda s: s.gateway.kept(Kept.BUDGETS, "research", "physics"),
    "delete": lambda s: s.gateway.delete(Kept.BUDGETS, "research", "physics"),
    "accounts": lambda s: s.gateway.accounts("physics"),
    "costs": lambda s: s.gateway.costs("job", since=None, until=None, namespace="physics"),
    "discrepancies": lambda s: s.gateway.discrepancies(),
}
OF_A_JOB: dict[str, Call] = {
    "status": lambda s: s.stolen.status(),
    "in_final_state": lambda s: s.stolen.in_final_state(),
    "done": lambda s: s.stolen.done(),
    "running": lambda s: s.stolen.running(),
    "cancelled": lambda s: s.stolen.cancelled(),
    "wait_for_final_state": lambda s: s.stolen.wait_for_final_state(1),
    "result": lambda s: s.stolen.result(1),
    "plot_histogram": lambda s: s.stolen.plot_histogram(),
    "cancel": lambda s: s.stolen.cancel(),
    "delete": lambda s: s.stolen.delete(),
    "redeliver": lambda s: s.stolen.redeliver(),
    "metrics": lambda s: s.stolen.metrics(),
    "provider_job_id": lambda s: s.stolen.provider_job_id(),
    "usage": lambda s: s.stolen.usage(),
    "queue_position": lambda s: s.stolen.queue_position(),
    "logs": lambda s: s.stolen.logs(),
    "to_dict": lambda s: s.stolen.to_dict(),
}
OF_PRINCIPALS: dict[str, Call] = {
    "create": lambda s: s.alice.principals.create("eve"),
    "token": lambda s: s.alice.principals.token("bob"),
    "bind": lambda s: s.alice.principals.bind("alice", Role.VIEWER, "physics"),
    "unbind": lambda s: s.alice.principals.unbind("bob", "physics"),
    "revoke": lambda s: s.alice.principals.revoke(s.tokens["bob"][:12]),
    "audit": lambda s: s.alice.principals.audit(),
}
HARMLESS = {
    Client: {"close", "principals", "prices", "whoami"},
    Direct: {"close", "of", "principals", "whoami"},
    Job: {"job_id"},
    Principals: {"whoami", "list"},
}
"""What says nothing of anything that is another's."""
GUARDED: dict[type, dict[str, Call]] = {
    Client: OF_THE_CLIENT,
    Direct: OF_THE_GATEWAY,
    Job: OF_A_JOB,
    Principals: OF_PRINCIPALS,
}


@pytest.mark.parametrize("kind", GUARDED)
def test_every_public_method_is_tried_against_another_namespace(kind: type) -> None:
    public = {name for name in dir(kind) if not name.startswith("_")}
    assert public == set(GUARDED[kind]) | HARMLESS[kind]


@pytest.mark.parametrize(
    "call",
    [pytest.param(call, id=f"{kind.__name__}.{name}") for kind in GUARDED for name, call in GUARDED[kind].items()],
)
def test_a_namespace_is_told_nothing_of_another(scene: Scene, call: Call) -> None:
    try:
        found = call(scene)
    except (NotFound, Forbidden) as error:
        assert scene.job.name not in error.message and "secret" not in str(error)
    else:
        assert found == []


def test_an_id_of_another_namespace_is_told_like_one_that_nobody_has(scene: Scene) -> None:
    nobodys = "01935b1e-0000-7000-8000-000000000000"
    said = []
    for asked in (scene.job.job_id(), nobodys, "bell", "nothing", "d541c5", "d541c6"):
        with pytest.raises(NotFound) as refused:
            scene.alice.job(asked)
        said.append((str(refused.value).replace(asked, "…"), refused.value.reason))
    assert len({said[0], said[1]}) == 1 and len(set(said[2:])) == 1
    # And each of them is bob's own.
    assert {scene.bob.job(asked).job_id() for asked in (scene.job.job_id(), "bell", "d541c5")} == {scene.job.job_id()}
    with pytest.raises(NotFound):
        scene.alice.job("bell", namespace="physics")


def test_lists_of_all_namespaces_are_of_ones_own(scene: Scene) -> None:
    mine = scene.alice.submit(bell(), name="bell", labels={"team": "secret"}, **SEEDED)
    for labels in (None, "team=secret", {"team": "secret"}, "!other"):
        found = scene.alice.jobs(all_namespaces=True, labels=labels)
        assert {job.namespace for job in found} == {"lab"} and mine.job_id() in {job.job_id() for job in found}
    assert scene.alice.job("bell").job_id() == mine.job_id()
    assert scene.alice.sessions(all_namespaces=True) == []
    assert [one["metadata"]["name"] for one in scene.bob.sessions(all_namespaces=True)] == ["run"]
    with scene.client("root") as root:
        assert {job.namespace for job in root.jobs(all_namespaces=True)} == {"lab", "physics"}
        assert root.job(scene.job.job_id()).status() == "Completed"


def test_budgets_and_costs_are_ones_own(scene: Scene) -> None:
    assert scene.alice.budgets(all_namespaces=True) == []
    assert [one["metadata"]["name"] for one in scene.bob.budgets(all_namespaces=True)] == ["research"]
    with pytest.raises(Forbidden, match="bob may not set budgets in namespace physics: that takes an admin"):
        scene.bob.apply_budget(BUDGET, namespace="physics")
    assert "physics" not in str(scene.alice.costs(all_namespaces=True))


def test_who_has_roles_in_several_namespaces_has_one_list_of_them_the_newest_first(scene: Scene) -> None:
    with scene.client("root") as root:
        root.principals.create("both")
        for namespace in ("lab", "physics"):
            root.principals.bind("both", Role.VIEWER, namespace)
        scene.tokens["both"] = root.principals.token("both")[0]
    made = [client.submit(bell(), **SEEDED).job_id() for client in (scene.alice, scene.bob) * 3]
    with scene.client("both") as both:
        found = [one["metadata"]["uid"] for one in both.page(all_namespaces=True, limit=4)]
        assert found == made[::-1][:4]
        rest = [one["metadata"]["uid"] for one in both.page(all_namespaces=True, limit=2, before=found[-1])]
        assert rest == made[::-1][4:6]


def test_an_account_of_another_namespace_is_as_good_as_not_there(scene: Scene) -> None:
    (shared,) = scene.alice.accounts(all_namespaces=True)
    assert (shared["name"], shared["namespaces"]) == ("shared", ["lab"])
    assert [one["name"] for one in scene.bob.accounts()] == ["shared", "secret-lab", "ibm-quantum.physics.own-secret"]
    for name in ("secret-lab", "ibm-quantum.physics.own-secret", "nothing"):
        with pytest.raises(NotFound, match=f"There is no account {name}") as refused:
            accounts.called(scene.alice, name, "lab")
        assert refused.value.hint == "Accounts of lab: shared."


def test_collecting_finds_only_ones_own(scene: Scene, tmp_path: Path) -> None:
    file = tmp_path / "submitted.jsonl"
    lines = [{"job_id": "d541c5", "status": "submitted"}, {"job_id": scene.job.job_id(), "status": "submitted"}]
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert [one.job_id for one in collection.of_file(scene.alice, file)] == [None, None]
    assert {one.job_id for one in collection.of_file(scene.bob, file)} == {scene.job.job_id()}
    for asked in ("d541c5", scene.job.job_id()):
        with pytest.raises(NotFound):
            collection.of_ids(scene.alice, [asked])
    stolen = collection.Wanted({"job_id": "d541c5", "status": "submitted"}, scene.job.job_id())
    collection.refresh(scene.alice, [stolen])
    assert stolen.row is None
    with pytest.raises(NotFound):
        scene.alice.job("d541c5")


def test_jobs_of_an_account_that_others_use_too_are_adopted_by_nobody_alone(scene: Scene) -> None:
    shared, secret = insides.direct(scene.alice).installation.config.accounts
    with pytest.raises(Forbidden, match="alice may not adopt jobs of a provider in namespace physics"):
        recovery.find(scene.alice, shared, datetime.now(UTC) - timedelta(days=1))
    require_adoption(insides.direct(scene.bob), secret, "physics")
    with scene.client("root") as root:
        require_adoption(insides.direct(root), shared, "lab")


def test_a_result_is_used_again_in_its_own_namespace_only(scene: Scene) -> None:
    theirs = scene.alice.submit(bell(), reuse="identical", shots=333, seed_simulator=11)
    assert theirs.result(60).provenance.reused_from is None
    first = scene.bob.submit(bell(), reuse="identical", shots=333, seed_simulator=11)
    assert first.result(60).provenance.reused_from is None
    again = scene.bob.submit(bell(), reuse="identical", shots=333, seed_simulator=11)
    assert again.result(60).provenance.reused_from == first.job_id()


def test_what_validation_found_is_remembered_for_one_namespace(scene: Scene) -> None:
    with redis.Redis.from_url(scene.stack.settings.broker) as server:
        before = len(server.keys("qtasks:validated:*"))
        for client in (scene.alice, scene.bob, scene.alice):
            client.submit(BELL_SOURCE, **SEEDED).result(60)
        assert len(server.keys("qtasks:validated:*")) == before + 2


def test_the_events_of_a_job_name_who_submitted_and_who_cancelled_it(scene: Scene) -> None:
    job = scene.alice.submit(bell(), **SEEDED)
    with scene.client("root") as root:
        root.cancel([root.job(job.job_id())])
    with insides.store(scene.alice).read() as tx:
        rows = tx.execute(select(tables.events.c.source).where(tables.events.c.job_id == job.job_id())).scalars().all()
    assert rows[0] == "alice"


def test_what_a_quota_refuses_leaves_nothing_behind(scene: Scene) -> None:
    with insides.store(scene.alice).begin() as tx:
        tenants.keep(tx, [tenants.Limits("lab", waiting=0)])
    large = scene.client("alice")
    insides.direct(large).installation.settings = large._settings.model_copy(update={"inline_input_bytes": 0})
    with large, pytest.raises(Forbidden, match="may have 0 jobs waiting") as refused:
        large.submit(bell(), name="refused")
    with insides.store(scene.alice).begin() as tx:
        tenants.keep(tx, [])
    assert refused.value.reason == "QuotaExceeded"
    objects = scene.stack.settings.home_path / "objects"
    assert objects.is_dir()
    assert not [path for path in objects.rglob("*") if "pending" in str(path) and path.is_file()]
    with pytest.raises(NotFound):
        scene.alice.job("refused")
    with scene.client("root") as root:
        reasons = [
            each["reason"] for each in root.principals.audit(principal="alice", limit=5) if each["verb"] == "submit"
        ]
    assert reasons[0] == "QuotaExceeded"


def test_tokens_are_nowhere_but_with_their_owners(scene: Scene) -> None:
    held = []
    with insides.store(scene.alice).read() as tx:
        for table in tables.metadata.sorted_tables:
            held.append(str(tx.execute(select(table)).all()))
    for path in scene.stack.folder.rglob("*"):
        if path.is_file():
            held.append(path.read_bytes().decode("latin-1"))
    held += [
        repr(scene.alice),
        str(vars(scene.alice)),
        str(vars(scene.gateway)),
        str(scene.stack.settings.environment()),
    ]
    for token in scene.tokens.values():
        assert not any(token in text or token[12:] in text for text in held)


def cli(scene: Scene, name: str | None, *words: str) -> tuple[int, str, str]:
    """What `qtasks auth …` answers to this principal, in this process."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("QTASKS_")}
    token = {} if name is None else {"QTASKS_API_TOKEN": scene.tokens.get(name, name)}
    application_settings.cache_clear()
    result = CliRunner().invoke(APP, ["auth", *words], env={**clean, **scene.stack.settings.environment(), **token})
    application_settings.cache_clear()
    return result.exit_code, result.stdout, result.stderr


def test_the_command_line_manages_principals(scene: Scene) -> None:
    assert cli(scene, "root", "create", "carol") == (0, "principal/carol created\n", "")
    assert cli(scene, "root", "bind", "carol", "--role", "submitter", "-n", "lab", "--urgent") == (
        0,
        "principal/carol is submitter@lab+urgent\n",
        "",
    )
    code, token, note = cli(scene, "root", "token", "carol", "--expires", "90d")
    assert code == 0 and token.startswith("qtk_") and "not shown again" in note
    assert cli(scene, token.strip(), "whoami")[:2] == (0, "carol\n  submitter@lab+urgent\n")
    code, out, _ = cli(scene, "root", "list")
    (line,) = [line for line in out.splitlines() if line.startswith("carol")]
    assert line.split()[:5] == ["carol", "submitter@lab+urgent", token[:12], "Active", "in"]
    assert cli(scene, "carol-has-no-such-token", "whoami")[0] == 3
    code, _, said = cli(scene, None, "whoami")
    assert (code, said.split("[")[-1]) == (3, "TokenRequired]\n")
    code, _, said = cli(scene, "alice", "bind", "alice", "--role", "admin", "-n", "*")
    assert code == 3 and "alice may not bind roles in all namespaces" in said
    assert cli(scene, "root", "bind", "carol", "--role", "king", "-n", "lab")[0] == 2
    assert cli(scene, "root", "revoke", token[:12])[1] == f"token/{token[:12]} of principal/carol revoked\n"
    assert cli(scene, token.strip(), "whoami")[0] == 3
    assert cli(scene, "root", "unbind", "carol", "-n", "lab")[1] == "principal/carol unbound from lab\n"
    assert cli(scene, "root", "unbind", "carol", "-n", "lab")[0] == 4
    code, out, _ = cli(scene, "root", "audit", "--since", "1h", "--principal", "alice")
    assert code == 0 and out.splitlines()[0].split() == ["TIME", "PRINCIPAL", "VERB", "NAMESPACE", "DECISION", "OBJECT"]
    assert any("JobNotFound" in line and scene.job.job_id() in line for line in out.splitlines())
    assert cli(scene, "alice", "audit")[0] == 3
    document = json.loads(cli(scene, "root", "list", "-o", "json")[1])
    assert {item["name"] for item in document["items"]} >= {"root", "alice", "bob", "carol"}
