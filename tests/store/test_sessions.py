"""Sessions: opened once for all jobs that name them, closed when nobody needs them, and nobody's for good."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import insert, update

from qtasks.backends.protocol import BackendError, ProviderUnavailable, RemoteBackend
from qtasks.client import Client
from qtasks.config import Account
from qtasks.errors import Conflict, InvalidInput, NotFound
from qtasks.lifecycle import Phase
from qtasks.resources import BackendType, JobSpec, QiskitSession
from qtasks.settings import Settings
from qtasks.stages.batch import Item
from qtasks.stages.remote.sessions import (
    SessionOpening,
    account_in_session,
    device_in_session,
    found_closed,
    see_to_sessions,
    session_for,
    with_sessions,
)
from qtasks.stages.worker import Identity, Worker
from qtasks.store import Store, accounts, tables
from qtasks.store import sessions as store_sessions
from qtasks.store.claims import ClaimedJob
from qtasks.store.types import moment
from tests.store.acting import Acting

pytestmark = pytest.mark.system

LAB = Account(name="lab", provider=BackendType.IBM_QUANTUM, plan="premium")
OTHER = Account(name="other", provider=BackendType.IBM_QUANTUM, plan="flex")
OPEN_PLAN = Account(name="free", provider=BackendType.IBM_QUANTUM, plan="open")
DEVICE = "ibm_lagos"


@dataclass
class Provider:
    """The other side: what a provider keeps of sessions."""

    opened: list[tuple[str, str, int | None]] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)
    questions: int = 0
    before_answer: Callable[[], None] = lambda: None

    def open_session(self, device: str, *, mode: str, max_seconds: int | None) -> str:
        self.opened.append((device, mode, max_seconds))
        made = f"session-{len(self.opened)}"
        self.before_answer()
        return made

    def session_open(self, session: str) -> bool:
        self.questions += 1
        return session not in self.closed

    def close_session(self, session: str) -> None:
        self.questions += 1
        self.closed.add(session)


@dataclass
class Scene:
    """A worker of a database, and a provider."""

    acting: Acting
    worker: Worker
    provider: Provider

    @property
    def backend(self) -> RemoteBackend:
        return cast(RemoteBackend, self.provider)

    def job(self, name: str = "vqe", *, backend: dict[str, Any] | None = None, **session: Any) -> Item:
        """A job that runs in a session, with its intent."""
        job_id = self.acting.submitted()
        row = {"job_id": job_id, "attempt": 1, "account": "lab", "device": DEVICE, "tag": job_id, "state": "intended"}
        with self.acting.store.begin() as tx:
            times = {"intended_at": moment(), "tried_at": moment()}
            tx.execute(insert(tables.provider_jobs).values(**row, **times, compiled={}))
        self.is_now(job_id, Phase.RUNNING)
        spec = {
            "circuit": {"source": "inline", "code": "…"},
            "backend": {"type": "ibm_quantum", **(backend or {})},
            "session": {"name": name, **session},
        }
        claimed = ClaimedJob(job_id, "default", "a", 6, 1, 0, 100, False, 0, self.acting.row(job_id).created_at)
        return Item(claimed, JobSpec.model_validate(spec), *[None] * 6)

    def is_now(self, job_id: str, phase: Phase) -> None:
        with self.acting.store.begin() as tx:
            tx.execute(update(tables.jobs).where(tables.jobs.c.id == job_id).values(phase=phase.value))

    def enter(self, item: Item, account: Account = LAB, device: str = DEVICE) -> str:
        entered = session_for(self.worker, item, account, self.backend, device)
        assert entered is not None
        return entered

    def ends(self, *items: Item) -> None:
        for item in items:
            self.is_now(item.job.id, Phase.COMPLETED)

    def look(self) -> float | None:
        return see_to_sessions(self.worker, LAB, self.backend)

    def ago(self, **seconds: float) -> None:
        """Let something have happened so many seconds ago."""
        values = {name: moment(-value) for name, value in seconds.items()}
        with self.acting.store.begin() as tx:
            tx.execute(update(tables.sessions).values(**values))

    def row(self, name: str = "vqe") -> Any:
        with self.acting.store.read() as tx:
            return store_sessions.get(tx, "default", name)

    def began(self, item: Item, *, seconds_ago: float) -> None:
        table = tables.provider_jobs
        with self.acting.store.begin() as tx:
            tx.execute(update(table).where(table.c.job_id == item.job.id).values(running_at=moment(-seconds_ago)))


@pytest.fixture
def scene(store: Store, acting: Acting, tmp_path: Path) -> Scene:
    config = tmp_path / "config.yaml"
    config.write_text(
        "accounts:\n"
        "  - {name: lab, provider: ibm_quantum, plan: premium}\n"
        "  - {name: other, provider: ibm_quantum, plan: flex}\n"
        "  - {name: free, provider: ibm_quantum, plan: open}\n"
    )
    settings = Settings(home=tmp_path, config=config, session_idle_seconds=30.0, broker_url="redis://127.0.0.1:1/0")
    with store.begin() as tx:
        accounts.ensure(tx, "lab", "ibm_quantum")
    nobody = cast(Any, None)
    worker = Worker(settings, Identity("w", (), 0, 1, tmp_path), store, nobody, nobody, nobody, nobody)
    return Scene(acting, worker, Provider())


@pytest.fixture
def client(scene: Scene, migrated_url: str) -> Any:
    settings = scene.worker.settings.model_copy(update={"database_url": migrated_url})
    with Client(settings) as client:
        yield client


def declared(name: str = "vqe", **spec: Any) -> QiskitSession:
    backend = {"type": "ibm_quantum", "name": DEVICE, "account": "lab"}
    return QiskitSession(metadata={"name": name}, spec={"backend": backend, "maxTime": "10m", **spec})


def test_jobs_that_name_a_session_share_one_and_others_have_their_own(scene: Scene) -> None:
    first, second, third = scene.job(maxTime=600, mode="batch"), scene.job(), scene.job("other")
    assert scene.enter(first) == scene.enter(second) == "session-1"
    assert scene.enter(third) == "session-2"
    assert scene.provider.opened == [(DEVICE, "batch", 600), (DEVICE, "dedicated", store_sessions.DEFAULT_SECONDS)]
    assert scene.provider.questions == 0
    with scene.acting.store.read() as tx:
        noted = tx.execute(tables.provider_jobs.select()).all()
    assert {row.job_id: row.session for row in noted}[second.job.id] == "session-1"
    assert scene.acting.events(first.job.id)[-1] == "SessionOpened"


def test_a_job_without_a_session_or_at_braket_has_none(scene: Scene) -> None:
    item = scene.job()
    braket = Account(name="aws", provider=BackendType.AWS_BRAKET)
    assert session_for(scene.worker, item, braket, scene.backend, DEVICE) is None
    item.spec = JobSpec.model_validate({"circuit": {"source": "inline", "code": "…"}})
    assert session_for(scene.worker, item, LAB, scene.backend, DEVICE) is None


def test_of_many_workers_at_once_one_opens_the_session(scene: Scene) -> None:
    items = [scene.job() for _ in range(4)]
    together = threading.Barrier(len(items))
    entered: list[str] = []
    waiting: list[SessionOpening] = []

    def enter(item: Item) -> None:
        together.wait(30)
        try:
            entered.append(scene.enter(item))
        except SessionOpening as error:
            waiting.append(error)

    threads = [threading.Thread(target=enter, args=(item,)) for item in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(scene.provider.opened) == 1
    assert len(entered) + len(waiting) == len(items) and set(entered) == {"session-1"}
    assert [scene.enter(item) for item in items] == ["session-1"] * len(items)


def test_a_session_whose_opener_died_is_opened_by_the_next_after_a_while(scene: Scene) -> None:
    class Killed(BaseException):
        pass

    def die() -> None:
        raise Killed

    scene.provider.before_answer = die
    item = scene.job()
    with pytest.raises(Killed):
        scene.enter(item)
    scene.provider.before_answer = lambda: None
    with pytest.raises(SessionOpening, match="just being opened"):
        scene.enter(item)
    scene.ago(lease_until=1)
    assert scene.enter(item) == "session-2"


def test_an_opening_that_nobody_finished_is_given_up_by_a_poller(scene: Scene) -> None:
    item = scene.job()
    with scene.acting.store.begin() as tx:
        store_sessions.join(tx, store_sessions.Wish("default", "vqe", item.job.id, "lab"))
        store_sessions.take(tx, "default", "vqe", device=DEVICE, owner="dead/1", lease_seconds=60)
    assert 0 < (scene.look() or 0) <= 60
    scene.ago(lease_until=1)
    assert scene.look() is None
    assert scene.row().state == "closed" and scene.provider.questions == 0


def test_what_an_opener_opened_too_late_is_closed(scene: Scene) -> None:
    late, faster = scene.job(), scene.job()

    def overtaken() -> None:
        scene.provider.before_answer = lambda: None
        scene.ago(lease_until=1)
        other = Worker(**{**vars(scene.worker), "identity": Identity("fast", (), 0, 1, Path("/"))})
        assert session_for(other, faster, LAB, scene.backend, DEVICE) == "session-2"

    scene.provider.before_answer = overtaken
    assert scene.enter(late) == "session-2"
    assert scene.provider.closed == {"session-1"}


def test_what_could_not_be_opened_is_tried_by_the_next_job(scene: Scene) -> None:
    def unanswered() -> None:
        raise ProviderUnavailable("No answer.")

    scene.provider.before_answer = unanswered
    item = scene.job()
    with pytest.raises(ProviderUnavailable, match="No answer"):
        scene.enter(item)
    assert (scene.row().state, scene.row().message) == ("closed", "No answer.")
    scene.provider.before_answer = lambda: None
    assert scene.enter(item) == "session-2"
    assert scene.row().message is None


def test_a_session_is_closed_when_it_had_no_job_for_a_while(scene: Scene) -> None:
    item = scene.job()
    scene.enter(item)
    assert scene.look() == scene.worker.settings.poll_longest_seconds
    scene.ends(item)
    assert 29 < (scene.look() or 0) <= 30
    scene.ago(idle_since=20)
    assert 9 < (scene.look() or 0) <= 10
    assert scene.provider.questions == 0
    scene.ago(idle_since=31)
    assert scene.look() is None
    assert scene.provider.closed == {"session-1"} and scene.provider.questions == 1
    row = scene.row()
    assert (row.state, row.message) == ("closed", "It had no job for 30 s.")
    assert scene.look() is None and scene.provider.questions == 1


@pytest.mark.parametrize("phase", [Phase.SCHEDULING, Phase.RUNNING])
def test_a_session_with_a_job_on_its_way_is_not_idle(scene: Scene, phase: Phase) -> None:
    first = scene.job()
    scene.enter(first)
    scene.ends(first)
    scene.look()
    second = scene.job()
    scene.is_now(second.job.id, phase)
    assert account_in_session(scene.worker, second, lambda: LAB) == LAB
    scene.ago(idle_since=3600)
    scene.look()
    assert scene.row().state == "open"
    scene.ends(second)
    assert 29 < (scene.look() or 0) <= 30


def test_a_session_s_time_counts_from_the_start_of_its_first_job(scene: Scene) -> None:
    item = scene.job(maxTime=100)
    scene.enter(item)
    scene.ago(opened_at=3600)
    scene.look()
    assert scene.row().state == "open"
    scene.began(item, seconds_ago=60)
    assert 39 < (scene.look() or 0) <= 40
    scene.ago(started_at=101)
    assert scene.look() is None
    row = scene.row()
    assert (row.state, row.message) == ("closed", "It was open for 100 s, as long as it may be.")
    assert scene.enter(scene.job()) == "session-2"


def test_a_job_that_comes_when_the_time_is_over_gets_a_new_session_and_the_old_one_is_closed(scene: Scene) -> None:
    scene.enter(scene.job(maxTime=100))
    scene.ago(started_at=101)
    assert scene.enter(scene.job()) == "session-2"
    assert scene.provider.closed == {"session-1"}


def test_the_shortest_time_that_a_job_asks_for_holds(scene: Scene) -> None:
    scene.enter(scene.job(maxTime=100))
    scene.enter(scene.job(maxTime="1h"))
    assert scene.row().max_seconds == 100
    scene.enter(scene.job(maxTime=50))
    assert scene.row().max_seconds == 50


def test_a_session_that_the_provider_closed_is_opened_anew_for_the_next_job(scene: Scene) -> None:
    scene.enter(scene.job())
    scene.provider.closed.add("session-1")
    assert scene.enter(scene.job()) == "session-1"  # it was taken for open a moment ago
    scene.ago(seen_at=31)
    assert scene.enter(scene.job()) == "session-2"
    scene.ago(seen_at=31)
    assert scene.enter(scene.job()) == "session-2"


def test_a_refusal_by_the_provider_makes_the_job_wait_for_a_new_session(scene: Scene) -> None:
    item = scene.job()
    refused = scene.enter(item)
    assert isinstance(found_closed(scene.worker, item, refused), SessionOpening)
    assert scene.enter(item) == "session-2"
    found_closed(scene.worker, item, refused)
    assert scene.enter(item) == "session-2"


def test_a_poller_notices_what_the_provider_closed(scene: Scene) -> None:
    scene.enter(scene.job())
    scene.provider.closed.add("session-1")
    scene.look()
    assert scene.provider.questions == 0
    scene.ago(seen_at=61)
    assert scene.look() is None
    assert (scene.row().state, scene.row().message) == ("closed", "The provider had closed it.")


def test_a_session_that_is_being_closed_by_somebody_who_died_is_closed_by_the_next(scene: Scene) -> None:
    scene.enter(scene.job())
    with scene.acting.store.begin() as tx:
        tx.execute(update(tables.sessions).values(state="closing"))
    assert scene.enter(scene.job()) == "session-2"
    assert scene.provider.closed == {"session-1"}
    with scene.acting.store.begin() as tx:
        tx.execute(update(tables.sessions).values(state="closing"))
    scene.look()
    assert scene.provider.closed == {"session-1", "session-2"}


def test_a_deleted_session_is_closed_and_takes_no_more_jobs(scene: Scene, client: Client) -> None:
    scene.enter(scene.job())
    waiting = scene.job()
    document = client.delete_session("vqe")
    assert document["status"]["phase"] == "Closing"
    assert client.delete_session("vqe") == document
    for _ in range(2):
        with pytest.raises(BackendError) as refused:
            scene.enter(waiting)
        assert (refused.value.reason, refused.value.heals) == ("SessionClosed", False)
        scene.look()
    assert scene.provider.closed == {"session-1"} and len(scene.provider.opened) == 1
    assert client.session("vqe")["status"]["phase"] == "Deleted"
    with pytest.raises(BackendError, match="was deleted"):
        account_in_session(scene.worker, waiting, lambda: LAB)
    with pytest.raises(NotFound, match="no session nothing"):
        client.delete_session("nothing")


def test_a_deleted_session_is_due_at_once_and_its_jobs_are_counted(scene: Scene, client: Client) -> None:
    scene.enter(scene.job())
    first = scene.job()
    scene.enter(first)
    scene.ends(first)
    with scene.acting.store.begin() as tx:
        tx.execute(update(tables.accounts).values(due_at=moment(3600)))
    client.delete_session("vqe")
    with scene.acting.store.begin() as tx:
        visit = accounts.take_due(tx, owner="w/1", lease_seconds=30)
    assert visit is not None and visit.account == "lab"
    status = client.session("vqe")["status"]
    assert (status["jobs"], status["openJobs"], status["account"], status["device"]) == (2, 1, "lab", DEVICE)


def test_a_session_that_is_deleted_while_it_is_opened_is_closed(scene: Scene, client: Client) -> None:
    scene.provider.before_answer = lambda: cast(None, client.delete_session("vqe"))
    with pytest.raises(BackendError, match="was deleted"):
        scene.enter(scene.job())
    assert scene.row().state == "closing"
    scene.look()
    assert scene.provider.closed == {"session-1"}


def test_what_was_deleted_can_be_applied_again(scene: Scene, client: Client) -> None:
    assert client.apply_session(declared()) == "created"
    item = scene.job()
    scene.enter(item)
    client.delete_session("vqe")
    with pytest.raises(Conflict, match="not closed yet"):
        client.apply_session(declared())
    scene.look()
    assert client.apply_session(declared()) == "created"
    assert scene.enter(item) == "session-2"


def test_a_declared_session_is_unchanged_by_itself_and_refuses_changes(scene: Scene, client: Client) -> None:
    assert client.apply_session(declared()) == "created"
    assert client.apply_session(declared()) == "unchanged"
    with pytest.raises(Conflict, match="another spec"):
        client.apply_session(declared(mode="batch"))
    document = client.session("vqe")
    assert document["status"]["phase"] == "Declared"
    backend = {"type": "ibm_quantum", "name": DEVICE, "account": "lab"}
    assert document["spec"] == {"backend": backend, "maxTime": "10m"}
    assert scene.enter(scene.job(maxTime=60)) == "session-1"
    assert scene.provider.opened == [(DEVICE, "dedicated", 60)]
    assert client.session("vqe")["status"]["phase"] == "Open"


def test_a_declared_session_keeps_what_it_declares_when_it_is_closed(scene: Scene, client: Client) -> None:
    client.apply_session(declared(mode="batch"))
    item = scene.job(maxTime=60)
    scene.enter(item)
    scene.ends(item)
    scene.look()
    scene.ago(idle_since=31)
    scene.look()
    row = scene.row()
    assert (row.state, row.account, row.device, row.mode, row.max_seconds) == ("closed", "lab", DEVICE, "batch", 600)


def test_a_session_that_only_jobs_named_is_bound_to_nothing_once_it_was_idle(scene: Scene) -> None:
    item = scene.job(mode="batch")
    scene.enter(item)
    scene.ends(item)
    scene.look()
    scene.ago(idle_since=31)
    scene.look()
    assert scene.enter(scene.job(mode="dedicated", maxTime=5), OTHER, "ibm_fez") == "session-2"
    assert scene.provider.opened[-1] == ("ibm_fez", "dedicated", 5)


@pytest.mark.parametrize(
    ("session", "account", "device", "what"),
    [
        ({"mode": "batch"}, LAB, DEVICE, "mode dedicated"),
        ({}, OTHER, DEVICE, "account lab"),
        ({}, LAB, "ibm_fez", f"device {DEVICE}"),
    ],
)
def test_a_job_that_asks_for_what_its_session_is_not_is_refused(
    scene: Scene, session: dict[str, str], account: Account, device: str, what: str
) -> None:
    scene.enter(scene.job())
    with pytest.raises(BackendError, match=f"has {what}") as refused:
        scene.enter(scene.job(**session), account, device)
    assert (refused.value.reason, refused.value.heals) == ("SessionMismatch", False)


def test_a_job_that_names_no_account_and_no_device_follows_its_session(scene: Scene) -> None:
    scene.enter(scene.job(backend={"account": "lab", "name": DEVICE}))
    follows = scene.job()
    assert account_in_session(scene.worker, follows, lambda: OTHER).name == "lab"
    assert device_in_session(scene.worker, follows, lambda bound: bound or "ibm_fez") == DEVICE
    own = scene.job(backend={"account": "other", "name": "ibm_fez"})
    with pytest.raises(BackendError, match="has account lab, and the job asks for other"):
        account_in_session(scene.worker, own, lambda: OTHER)
    assert device_in_session(scene.worker, own, lambda bound: bound or DEVICE) == "ibm_fez"


def test_of_jobs_that_choose_a_device_at_once_all_follow_the_first(scene: Scene) -> None:
    first, second = scene.job(), scene.job()
    for item in (first, second):
        account_in_session(scene.worker, item, lambda: LAB)

    def slow(bound: str | None) -> str:
        if bound is None:
            assert device_in_session(scene.worker, second, lambda bound: bound or DEVICE) == DEVICE
        return bound or "ibm_fez"

    assert device_in_session(scene.worker, first, slow) == DEVICE


def test_sessions_are_refused_on_the_open_plan(scene: Scene, client: Client) -> None:
    with pytest.raises(InvalidInput, match="burn the plan's 10 minutes") as refused:
        with_sessions([OPEN_PLAN])
    assert refused.value.reason == "SessionsNotOnOpenPlan"
    assert with_sessions([OPEN_PLAN, LAB]) == [LAB]
    with pytest.raises(InvalidInput, match="burn the plan's 10 minutes"):
        client.apply_session(declared(backend={"type": "ibm_quantum", "account": "free"}))
    with pytest.raises(InvalidInput, match="burn the plan's 10 minutes"):
        # A secret of one's own is an account on the open plan.
        client.apply_session(declared(backend={"type": "ibm_quantum"}, credentials={"secretRef": {"name": "mine"}}))
    assert client.sessions() == []


def test_sessions_are_listed_by_namespace(client: Client) -> None:
    client.apply_session(declared("b"))
    client.apply_session(declared("a"), namespace="lab-1")
    client.apply_session(declared("c", backend={"type": "aws_braket"}))
    names = [(found["metadata"]["namespace"], found["metadata"]["name"]) for found in client.sessions()]
    assert names == [("default", "b"), ("default", "c")]
    assert [found["metadata"]["name"] for found in client.sessions(namespace="lab-1")] == ["a"]
    assert len(client.sessions(all_namespaces=True)) == 3
    assert "without effect on aws_braket" in client.session("c")["status"]["message"]
    with pytest.raises(NotFound, match="no session a in namespace default"):
        client.session("a")
    with pytest.raises(InvalidInput, match=r"needs metadata\.name"):
        client.apply_session(QiskitSession(spec={"backend": {}}))
