"""Principals, tokens, the audit trail and quotas in both databases, by way of the guard that the client asks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import event, select, text, update

from qtasks.access import EVERYWHERE, LOCAL, Role, Verb
from qtasks.client import caller as caller_module
from qtasks.client.admission import Admission
from qtasks.client.guard import Guard
from qtasks.client.principals import Principals
from qtasks.errors import Conflict, Forbidden, InvalidInput, NotFound
from qtasks.lifecycle import Phase, Stage
from qtasks.settings import Settings
from qtasks.store import Store, access, claims, jobs, tables, tenants
from qtasks.store.tenants import Limits
from qtasks.store.types import moment
from tests.store.acting import Acting, new_job

pytestmark = pytest.mark.system


def guard_of(store: Store, token: str | None = None) -> Guard:
    secret = None if token is None else SecretStr(token)
    return Guard(store, Settings(broker_url="redis://127.0.0.1:1/0", api_token=secret))


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    """The statements that a store executes meanwhile."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(store.engine, "before_cursor_execute", note)
    yield seen
    event.remove(store.engine, "before_cursor_execute", note)


@pytest.fixture
def root(store: Store) -> Principals:
    """The first principal of an installation."""
    made = Principals(guard_of(store)).create("root")
    assert made.token is not None
    return Principals(guard_of(store, made.token))


def principal(root: Principals, name: str, *roles: tuple[str, Role], urgent: bool = False) -> str:
    """A principal's token."""
    root.create(name)
    for namespace, role in roles:
        root.bind(name, role, namespace, urgent=urgent)
    return root.token(name)[0]


def everything(store: Store) -> str:
    """Whatever the database holds of principals, as text."""
    with store.read() as tx:
        found = [tx.execute(select(table)).all() for table in (tables.principals, tables.tokens, tables.audit)]
    return str(found)


def lines(store: Store, **where: Any) -> list[tuple[Any, ...]]:
    """The audit trail, oldest first, as (principal, verb, namespace, object, reason)."""
    with store.read() as tx:
        rows = access.audit_of(tx, namespaces=None, limit=1000, **where)[::-1]
    return [(row.principal, row.verb, row.namespace, row.object, row.reason) for row in rows]


def test_a_fresh_installation_is_everybodys_until_there_is_a_principal(store: Store) -> None:
    guard = guard_of(store)
    assert guard.caller is LOCAL
    guard.may(Verb.PRINCIPALS, None)
    made = Principals(guard).create("alice")
    assert made.token is not None and made.token not in repr(made)
    with pytest.raises(Forbidden, match="no token says who is asking") as refused:
        guard.may(Verb.LIST, "default")
    assert refused.value.reason == "TokenRequired"
    admin = Principals(guard_of(store, made.token))
    assert admin.whoami()["bindings"] == [{"namespace": "*", "role": "admin", "urgent": True}]
    assert admin.create("bob").token is None
    with pytest.raises(Conflict, match="a principal bob already"):
        admin.create("bob")


def test_of_two_who_make_the_first_principal_at_once_one_is_the_first(store: Store) -> None:
    together = threading.Barrier(2)
    came: list[Any] = []

    def make(name: str) -> None:
        principals = Principals(guard_of(store))
        assert principals.whoami()["name"] == "local"
        together.wait()
        try:
            came.append(principals.create(name).token)
        except Forbidden as error:
            came.append(error.reason)

    threads = [threading.Thread(target=make, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(str(each)[:4] for each in came) == ["Toke", "qtk_"]
    assert "TokenRequired" in came


def test_the_embedded_stack_is_its_users_and_asks_the_database_nothing(store: Store, root: Principals) -> None:
    guard = Guard(store, Settings(home=Path("/nonexistent")))
    with statements(store) as seen:
        for verb in Verb:
            guard.may(verb, "anywhere")
            guard.may(verb, None)
        guard.jobs(Verb.CANCEL, ["x"])
        assert guard.visible(Verb.GET, ["x"]) == {"x"}
        assert guard.scope(Verb.LIST, "lab", everywhere=True) is None
        guard.job(Verb.GET, "x", "lab")
    assert seen == []


def test_without_principals_the_database_is_asked_once_in_a_while(store: Store) -> None:
    guard = guard_of(store)
    with statements(store) as seen:
        for verb in Verb:
            guard.may(verb, "lab")
            guard.jobs(verb, ["x"])
    assert len([each for each in seen if "principals" in each]) == 1 and not any("INSERT" in each for each in seen)


def test_a_token_is_known_by_its_hash_alone(store: Store, root: Principals) -> None:
    token = principal(root, "alice", ("lab", Role.SUBMITTER))
    guard = guard_of(store, f" {token}\n")
    assert guard.caller.name == "alice"
    kept = everything(store)
    assert token not in kept and token[12:] not in kept and token[:12] in kept
    (shown,) = [each for each in root.list() if each["name"] == "alice"]
    assert token not in str(shown) and shown["tokens"][0]["prefix"] == token[:12]
    assert shown["tokens"][0]["usedAt"] is not None
    assert token not in repr(guard) + str(vars(guard)) + str(vars(guard._asking))


@pytest.mark.parametrize("given", ["qtk_" + "a" * 43, "AKIAIOSFODNN7EXAMPLE", "qtk_short"])
def test_what_is_no_token_is_refused_and_repeated_nowhere(store: Store, root: Principals, given: str) -> None:
    with pytest.raises(Forbidden) as refused:
        guard_of(store, given).may(Verb.LIST, "lab")
    assert refused.value.reason == "TokenInvalid"
    assert given not in str(refused.value) + everything(store)
    assert lines(store)[-1] == (None, "authenticate", None, "", "TokenInvalid")


def test_an_expired_token_says_when_it_expired(store: Store, root: Principals) -> None:
    root.create("alice")
    token, document = root.token("alice", expires_seconds=90 * 86_400)
    assert document["state"] == "Active"
    assert guard_of(store, token).caller.name == "alice"
    with store.begin() as tx:
        tx.execute(update(tables.tokens).where(tables.tokens.c.prefix == token[:12]).values(expires_at=moment(-1)))
    with pytest.raises(Forbidden, match=rf"The token {token[:12]}… expired at 20") as refused:
        _ = guard_of(store, token).caller
    assert refused.value.reason == "TokenExpired"
    assert token not in str(refused.value)


def test_a_revoked_token_is_worthless_everywhere_within_seconds(
    store: Store, root: Principals, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = principal(root, "alice", ("lab", Role.VIEWER))
    guard = guard_of(store, token)
    guard.may(Verb.LIST, "lab")
    # The whole token may be given too, and is not shown.
    gone = root.revoke(token)
    assert gone == {"prefix": token[:12], "principal": "alice"}
    guard.may(Verb.LIST, "lab")
    monkeypatch.setattr(caller_module, "KNOWN_SECONDS", 0.0)
    with pytest.raises(Forbidden, match="was revoked") as refused:
        guard.may(Verb.LIST, "lab")
    assert refused.value.reason == "TokenInvalid"


def test_everybody_revokes_their_own_tokens_and_nobody_elses(store: Store, root: Principals) -> None:
    mine, theirs = principal(root, "alice"), principal(root, "bob")
    alice = Principals(guard_of(store, mine))
    for prefix in (theirs[:12], "qtk_nothing1", "x"):
        with pytest.raises(NotFound, match="no token that begins like this"):
            alice.revoke(prefix)
    assert alice.revoke(mine[:12])["principal"] == "alice"
    with pytest.raises(Forbidden):
        alice.whoami()


def test_the_last_admin_cannot_be_lost(store: Store, root: Principals) -> None:
    (own,) = root.list()[0]["tokens"]
    for lose in (
        lambda: root.unbind("root", EVERYWHERE),
        lambda: root.bind("root", Role.OPERATOR, EVERYWHERE),
        lambda: root.revoke(own["prefix"]),
    ):
        with pytest.raises(Conflict) as refused:
            lose()
        assert refused.value.reason == "LastAdmin"
    assert root.whoami()["bindings"][0]["role"] == "admin"
    # Another admin without a token is none.
    root.create("bob")
    root.bind("bob", Role.ADMIN, EVERYWHERE)
    with pytest.raises(Conflict):
        root.unbind("root", EVERYWHERE)
    root.token("bob")
    root.unbind("root", EVERYWHERE)
    assert root.whoami()["bindings"] == []


def test_two_admins_who_unbind_each_other_at_once_leave_one(store: Store, root: Principals) -> None:
    other = Principals(guard_of(store, principal(root, "other", (EVERYWHERE, Role.ADMIN))))
    together = threading.Barrier(2)

    def unbind(principals: Principals, name: str) -> None:
        together.wait()
        with suppress(Conflict, Forbidden):
            principals.unbind(name, EVERYWHERE)

    threads = [threading.Thread(target=unbind, args=each) for each in ((root, "other"), (other, "root"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with store.read() as tx:
        assert len(access.admins(tx, everywhere=EVERYWHERE)) == 1


def test_only_who_may_manages_principals(store: Store, root: Principals) -> None:
    lab = Principals(guard_of(store, principal(root, "lab-admin", ("lab", Role.ADMIN))))
    principal(root, "alice", ("lab", Role.VIEWER), ("physics", Role.VIEWER))
    principal(root, "bob", ("physics", Role.VIEWER))
    for forbidden in (
        lambda: lab.create("eve"),
        lambda: lab.token("alice"),
        lambda: lab.bind("alice", Role.ADMIN, "physics"),
        lambda: lab.bind("lab-admin", Role.ADMIN, EVERYWHERE),
        lambda: lab.unbind("bob", "physics"),
    ):
        with pytest.raises(Forbidden, match="lab-admin may not"):
            forbidden()
    with pytest.raises(Forbidden) as refused:
        lab.bind("alice", Role.VIEWER, "lab", urgent=True)
    assert refused.value.reason == "UrgentNotAllowed"
    lab.bind("alice", Role.OPERATOR, "lab")
    # What others are elsewhere, and their tokens, are not a namespace's admin's to know.
    found = {each["name"]: each for each in lab.list()}
    assert found.keys() == {"lab-admin", "alice"}
    assert found["alice"]["bindings"] == [{"namespace": "lab", "role": "operator", "urgent": False}]
    assert found["alice"]["tokens"] == []
    assert [each["name"] for each in root.list()] == ["alice", "bob", "lab-admin", "root"]
    with pytest.raises(NotFound, match="no principal nobody"):
        root.bind("nobody", Role.VIEWER, "lab")
    with pytest.raises(NotFound, match="alice has no role in namespace chemistry"):
        root.unbind("alice", "chemistry")
    with pytest.raises(InvalidInput):
        root.bind("alice", Role.VIEWER, "No Namespace")
    with pytest.raises(InvalidInput):
        root.create("../etc")
    with pytest.raises(InvalidInput):
        root.create("local")


def test_every_decision_is_in_the_audit_trail(store: Store, acting: Acting, root: Principals) -> None:
    job_id = acting.submitted(namespace="lab")
    other = acting.submitted(namespace="physics")
    token = principal(root, "alice", ("lab", Role.VIEWER))
    before = len(lines(store))
    guard = guard_of(store, token)
    for _ in range(5):
        guard.jobs(Verb.RESULTS, [job_id])
    with pytest.raises(NotFound) as hidden:
        guard.jobs(Verb.GET, [other])
    assert str(hidden.value) == f"There is no job {other}. `qtasks get jobs -A` lists what there is."
    with pytest.raises(Forbidden):
        guard.jobs(Verb.CANCEL, [job_id])
    with pytest.raises(Forbidden):
        guard.may(Verb.LIST, "physics")
    assert lines(store)[before:] == [
        ("alice", "results", "lab", job_id, "Allowed"),
        ("alice", "get", "physics", other, "JobNotFound"),
        ("alice", "cancel", "lab", job_id, "Forbidden"),
        ("alice", "list", "physics", "", "Forbidden"),
    ]
    assert [each[:4] for each in lines(store)[:4]] == [
        ("local", "principals", None, "create root"),
        ("local", "principals", None, lines(store)[1][3]),
        ("local", "bind", "*", "root is admin, urgent"),
        ("root", "principals", None, "create alice"),
    ]
    now = datetime.now(UTC)
    assert lines(store, principal="alice", since=now - timedelta(minutes=5)) == lines(store)[before:]
    assert lines(store, since=now + timedelta(minutes=5)) == []


def test_a_namespaces_admin_reads_its_own_trail(store: Store, root: Principals) -> None:
    token = principal(root, "lab-admin", ("lab", Role.ADMIN))
    principal(root, "alice", ("lab", Role.VIEWER), ("physics", Role.VIEWER))
    lab = Principals(guard_of(store, token))
    assert {each["namespace"] for each in lab.audit()} == {"lab"}
    assert {each["namespace"] for each in root.audit()} == {None, "*", "lab", "physics"}
    with pytest.raises(Forbidden):
        Principals(guard_of(store, root.token("alice")[0])).audit()


def test_what_is_not_there_and_what_may_not_be_seen_are_told_alike(
    store: Store, acting: Acting, root: Principals
) -> None:
    hidden, nowhere = acting.submitted(namespace="physics"), new_job().id
    guard = guard_of(store, principal(root, "alice", ("lab", Role.ADMIN)))
    said = []
    for job_id in (hidden, nowhere, "no-uuid"):
        with pytest.raises(NotFound) as refused:
            guard.jobs(Verb.CANCEL, [job_id])
        said.append((str(refused.value).replace(job_id, "…"), refused.value.reason))
    assert len(set(said)) == 1
    assert guard.visible(Verb.GET, [hidden, nowhere]) == set()
    with store.read() as tx, pytest.raises(NotFound) as truly:
        jobs.get(tx, nowhere)
    assert str(truly.value).replace(nowhere, "…") == said[0][0]


def test_a_list_of_all_namespaces_is_of_those_that_one_may_see(store: Store, root: Principals) -> None:
    guard = guard_of(store, principal(root, "alice", ("lab", Role.VIEWER), ("physics", Role.OPERATOR)))
    assert guard.scope(Verb.LIST, "default", everywhere=True) == ("lab", "physics")
    assert guard.scope(Verb.RECOVER, "default", everywhere=True) == ("physics",)
    assert guard.scope(Verb.LIST, "lab", everywhere=False) == ("lab",)
    assert root._guard.scope(Verb.LIST, "lab", everywhere=True) is None


def submit(store: Store, guard: Guard, *new: Any) -> None:
    """Submit as the client does."""
    admission = Admission(guard)
    caller = admission.require(new)
    with admission.transaction(caller) as tx:
        existing = jobs.submit(tx, new, source=guard.source("client/1"))
        admission.admit(tx, [job for job in new if job.id not in existing], caller)


def test_who_submitted_a_job_may_cancel_it(store: Store, acting: Acting, root: Principals) -> None:
    alice = guard_of(store, principal(root, "alice", ("lab", Role.SUBMITTER)))
    bob = guard_of(store, principal(root, "bob", ("lab", Role.SUBMITTER)))
    job = new_job(namespace="lab", name="bell")
    submit(store, alice, job)
    alice.jobs(Verb.CANCEL, [job.id])
    with pytest.raises(Forbidden, match="jobs of others"):
        bob.jobs(Verb.CANCEL, [job.id])
    with pytest.raises(Forbidden, match="jobs of others"):
        alice.jobs(Verb.CANCEL, [job.id, acting.submitted(namespace="lab")])
    assert ("alice", "submit", "lab", "bell", "Allowed") in lines(store)
    with store.read() as tx:
        assert access.whose(tx, [job.id])[job.id] == access.Whose("lab", "bell", "alice")


def test_urgent_jobs_want_the_right_to_it(store: Store, root: Principals) -> None:
    alice = guard_of(store, principal(root, "alice", ("lab", Role.SUBMITTER)))
    bob = guard_of(store, principal(root, "bob", ("lab", Role.SUBMITTER), urgent=True))
    with pytest.raises(Forbidden) as refused:
        submit(store, alice, new_job(namespace="lab", priority=3), new_job(namespace="lab", priority=0))
    assert refused.value.reason == "UrgentNotAllowed"
    submit(store, bob, new_job(namespace="lab", priority=0))
    submit(store, alice, new_job(namespace="lab", priority=3))


def limit(store: Store, *limits: Limits) -> bool:
    with store.begin() as tx:
        return tenants.keep(tx, limits)


def test_jobs_beyond_a_quota_are_refused_all_or_none(store: Store, acting: Acting, root: Principals) -> None:
    limit(store, Limits("lab", waiting=3))
    alice = guard_of(store, principal(root, "alice", ("lab", Role.SUBMITTER), ("physics", Role.SUBMITTER)))
    submit(store, alice, *[new_job(namespace="lab") for _ in range(2)])
    with pytest.raises(Forbidden, match="with these 2 it would have 4") as refused:
        submit(store, alice, *[new_job(namespace="lab") for _ in range(2)])
    assert refused.value.reason == "QuotaExceeded"
    assert lines(store)[-1] == ("alice", "submit", "lab", "", "QuotaExceeded")
    submit(store, alice, new_job(namespace="lab"))
    submit(store, alice, *[new_job(namespace="physics") for _ in range(5)])
    with pytest.raises(Forbidden, match="with this one it would have 4"):
        submit(store, alice, new_job(namespace="lab"))
    # What runs does not wait any more.
    with store.begin() as tx:
        first = tx.execute(select(tables.jobs.c.id).where(tables.jobs.c.namespace == "lab").limit(1)).scalar_one()
        tx.execute(update(tables.jobs).where(tables.jobs.c.id == first).values(phase=Phase.RUNNING.value))
    submit(store, alice, new_job(namespace="lab"))


def test_submitting_the_same_again_uses_nothing_of_a_quota(store: Store) -> None:
    limit(store, Limits("lab", waiting=1, shots_per_day=1024))
    guard = guard_of(store)
    job = new_job(namespace="lab", idempotency_key="once")
    submit(store, guard, job)
    submit(store, guard, new_job(namespace="lab", idempotency_key="once"))
    with pytest.raises(Forbidden):
        submit(store, guard, new_job(namespace="lab"))


def test_shots_are_counted_by_days_of_utc(store: Store) -> None:
    limit(store, Limits("lab", shots_per_day=3000))
    guard = guard_of(store)
    submit(store, guard, new_job(namespace="lab"), new_job(namespace="lab"))
    with pytest.raises(Forbidden, match="3000 shots a day: with 1024 more it would be 3072"):
        submit(store, guard, new_job(namespace="lab"))
    # What was refused was not counted.
    submit(store, guard, new_job(namespace="lab", shots=952))
    with store.begin() as tx:
        row = tx.execute(select(tables.tenants)).one()
        assert (row.day, row.shots) == (f"{datetime.now(UTC):%Y-%m-%d}", 3000)
        tx.execute(update(tables.tenants).values(day="2026-02-28"))
    submit(store, guard, new_job(namespace="lab", shots=3000))
    # A new limit forgets nothing of what was used.
    limit(store, Limits("lab", shots_per_day=3500))
    with pytest.raises(Forbidden, match="it would be 3501"):
        submit(store, guard, new_job(namespace="lab", shots=501))


def test_a_quota_holds_however_many_submit_at_once(store: Store) -> None:
    limit(store, Limits("lab", waiting=20, shots_per_day=17 * 1024), Limits("physics", waiting=5))
    together = threading.Barrier(6)
    refused: list[str] = []

    def work() -> None:
        guard = guard_of(store)
        together.wait()
        for _ in range(5):
            try:
                submit(store, guard, new_job(namespace="physics"), new_job(namespace="lab"))
            except Forbidden as error:
                refused.append(error.reason)
            try:
                submit(store, guard, new_job(namespace="lab"))
            except Forbidden as error:
                refused.append(error.reason)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    with store.read() as tx:
        rows = tx.execute(text("SELECT namespace, count(*) AS n FROM jobs GROUP BY namespace")).all()
        shots = tx.execute(select(tables.tenants.c.shots).where(tables.tenants.c.namespace == "lab")).scalar_one()
    counts = {row.namespace: row.n for row in rows}
    assert counts["lab"] == 17 and shots == 17 * 1024
    assert counts["physics"] == 5
    assert set(refused) == {"QuotaExceeded"} and len(refused) == 60 - counts["lab"]


def test_limits_are_a_copy_that_is_written_only_when_it_changed(store: Store) -> None:
    lab = Limits("lab", weight=2.0, concurrency=3)
    assert limit(store, lab, Limits("physics"))
    assert not limit(store, Limits("physics"), lab)
    with store.begin() as tx:
        assert tenants.walk(tx) == [lab, Limits("physics")]
        assert claims.shares_of(tx, Stage.EXECUTION)[Stage.EXECUTION]["lab"].weight == 2.0
        claims.charge(tx, Stage.EXECUTION, "lab", start_tag=4.0, jobs_taken=2)
        assert claims.shares_of(tx, Stage.EXECUTION)[Stage.EXECUTION]["lab"].finish_tag == 5.0
    assert limit(store)
    with store.read() as tx:
        assert tenants.walk(tx) == []
        assert claims.shares_of(tx, Stage.EXECUTION)[Stage.EXECUTION]["lab"].weight == 1.0


def test_room_is_what_is_left_of_a_concurrency(store: Store, acting: Acting) -> None:
    limit(store, Limits("default", concurrency=2), Limits("other"))
    acting.running()
    with store.begin() as tx:
        assert tenants.room(tx, "default") == 1
        assert tenants.room(tx, "other") is None and tenants.room(tx, "nobody") is None
        assert tenants.limited(tx) == {"default"}
    acting.running()
    with store.begin() as tx:
        assert tenants.room(tx, "default") == 0


def test_a_tokens_use_is_noted_once_a_minute(store: Store, root: Principals) -> None:
    token = principal(root, "alice")
    _ = guard_of(store, token).caller
    with statements(store) as seen:
        _ = guard_of(store, token).caller
    assert not any("UPDATE" in each for each in seen)


def test_a_submission_costs_two_statements_more_however_many_jobs(store: Store, root: Principals) -> None:
    guard = guard_of(store, principal(root, "alice", ("lab", Role.SUBMITTER)))
    admission = Admission(guard)

    def added(number: int) -> list[str]:
        new = [new_job(namespace="lab") for _ in range(number)]
        caller = admission.require(new)
        with store.begin() as tx:
            jobs.submit(tx, new, source=None)
            with statements(store) as seen:
                admission.admit(tx, new, caller)
        return [statement.split()[2] for statement in seen if statement.startswith("INSERT")]

    added(1)
    assert added(1) == added(100) == ["submitters", "audit"]
