"""What is due, to whom it is given, how long it is tried, and what is asked for again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import update

from qtasks.config import load_config
from qtasks.errors import Conflict, InvalidInput, QTasksError, Unavailable
from qtasks.results.outputs import cluster
from qtasks.stages import delivery
from qtasks.stages.ailing import Ailing
from qtasks.store import outputs
from qtasks.store.outputs import GIVEN_UP, Try
from qtasks.store.tables import outputs as table
from qtasks.store.types import moment
from tests.outputs.desk import Desk
from tests.store.acting import Acting

OUT = {"type": "configmap", "location": "out"}
PVC = {"type": "pvc", "location": "claim", "path": "out.json"}


def take(desk: Desk, *, lease_seconds: float = 60.0) -> Try | None:
    with desk.worker.store.begin() as tx:
        return outputs.take(tx, lease_seconds=lease_seconds)


@contextmanager
def volumes_away(desk: Desk) -> Iterator[None]:
    volumes = desk.settings.volumes
    volumes.symlink_to(volumes.with_name("nowhere"))
    yield
    volumes.unlink()


def test_a_delivery_is_given_to_one_at_a_time_and_after_its_lease_to_the_next(desk: Desk) -> None:
    job_id = desk.completed(OUT)
    with desk.worker.store.begin() as tx:
        mine = outputs.begin(tx, job_id, lease_seconds=60.0)
        assert outputs.begin(tx, job_id, lease_seconds=60.0) is None
    assert mine is not None and mine.number == 1
    assert take(desk) is None
    desk.due()
    theirs = take(desk)
    assert theirs is not None and (theirs.job_id, theirs.number) == (job_id, 2)
    with desk.worker.store.begin() as tx:
        assert not outputs.delivered(tx, mine)
        assert not outputs.put_off(tx, mine, "late", seconds=1.0)
        assert not outputs.end(tx, mine, "late", state=GIVEN_UP)
        assert outputs.delivered(tx, theirs)
    desk.due()
    assert take(desk) is None


def test_what_was_tried_least_comes_first(desk: Desk) -> None:
    often, seldom = (desk.completed(OUT) for _ in range(2))
    with desk.worker.store.begin() as tx:
        for job_id in (often, seldom):
            outputs.begin(tx, job_id, lease_seconds=-1.0)
        tx.execute(update(table).where(table.c.job_id == often).values(tries=7, due_at=moment(-100)))
    assert [found.job_id for found in (take(desk), take(desk)) if found] == [seldom, often]


def test_what_a_dead_worker_left_is_delivered_when_its_lease_is_over(desk: Desk) -> None:
    job_id = desk.completed(OUT)
    with desk.worker.store.begin() as tx:
        outputs.begin(tx, job_id, lease_seconds=60.0)
    assert delivery.deliver_due(desk.worker) == 0
    desk.due()
    assert delivery.deliver_due(desk.worker) == 1
    assert desk.condition(job_id)[:2] == ("True", "Delivered")
    assert delivery.deliver_due(desk.worker) == 0


def test_many_are_delivered_in_one_look(desk: Desk) -> None:
    ids = [desk.completed({**OUT, "location": f"out-{number}"}) for number in range(7)]
    with desk.worker.store.begin() as tx:
        for job_id in ids:
            outputs.begin(tx, job_id, lease_seconds=-1.0)
    assert delivery.deliver_due(desk.worker) == 7
    assert {desk.condition(job_id)[0] for job_id in ids} == {"True"}


def test_a_try_comes_later_the_longer_it_fails_and_is_given_up_in_the_end(desk: Desk) -> None:
    job_id = desk.completed(PVC)
    waits = []
    with volumes_away(desk):
        desk.see_to(job_id)
        for age in (5, 60, 3000, 86_000):
            with desk.worker.store.begin() as tx:
                tx.execute(update(table).values(since=moment(-age)))
            desk.try_again()
            with desk.worker.store.read() as tx:
                waits.append(tx.execute(table.select().add_columns(moment().label("now"))).one())
        with desk.worker.store.begin() as tx:
            tx.execute(update(table).values(since=moment(-90_000)))
        desk.try_again()
    assert [round((row.due_at - row.now).total_seconds(), -1) for row in waits] == [10, 60, 600, 400]
    status, reason, message = desk.condition(job_id)
    assert (status, reason, desk.state(job_id)) == ("False", "OutputGivenUp", "given_up")
    assert "No such file or directory. It is not tried any more. Once that is put right: qtasks redeliver" in message
    assert [event.reason for event in desk.events(job_id)] == ["OutputRetrying", "OutputGivenUp"]
    desk.again(job_id)
    desk.try_again()
    assert desk.condition(job_id)[0] == "True"


def test_a_place_that_does_not_answer_is_not_asked_for_every_job(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(delivery, "_ailing", Ailing(clock=lambda: now[0]))
    first, second, other = desk.completed(PVC), desk.completed(PVC), desk.completed({**PVC, "location": "other"})
    with volumes_away(desk):
        desk.see_to(first)
    for job_id in (second, other):
        desk.see_to(job_id)
    assert [desk.condition(job_id)[0] for job_id in (first, second, other)] == ["False", "False", "True"]
    assert desk.condition(second)[2].startswith(desk.condition(first)[2].partition(" It is")[0])
    now[0] = 16.0
    desk.due()
    assert delivery.deliver_due(desk.worker) == 2
    assert desk.condition(first)[0] == desk.condition(second)[0] == "True"


def test_a_place_is_left_alone_for_longer_each_time_it_fails() -> None:
    now = [0.0]
    ailing = Ailing(clock=lambda: now[0])
    waits = []
    for _ in range(6):
        ailing.fell("place", QTasksError("It is away."))
        began = now[0]
        while True:
            now[0] += 1.0
            try:
                ailing.refuse("place")
            except Unavailable as error:
                assert error.message == "It is away."
            else:
                break
        waits.append(now[0] - began)
    assert waits == [15.0, 30.0, 60.0, 120.0, 240.0, 240.0]
    ailing.fell("place", QTasksError("It is away."))
    ailing.rose("place")
    ailing.refuse("place")


@pytest.mark.parametrize(
    ("changes", "kind", "reason"),
    [({}, Conflict, "JobNotCompleted"), ({"output": None}, InvalidInput, "NoOutput")],
)
def test_only_what_has_a_result_and_an_output_is_delivered_again(
    desk: Desk, changes: dict[str, None], kind: type[QTasksError], reason: str
) -> None:
    if reason == "NoOutput":
        acting = Acting(desk.worker.store)
        claim = acting.running()
        acting.finish(claim)
        job_id = claim.ids[0]
    else:
        job_id = Acting(desk.worker.store).submitted(resource={"spec": {"output": OUT}})
    with pytest.raises(kind) as caught:
        desk.again(job_id)
    assert caught.value.reason == reason


def test_asking_again_while_a_try_is_under_way_makes_its_word_count_no_more(desk: Desk) -> None:
    job_id = desk.completed(OUT)
    with desk.worker.store.begin() as tx:
        mine = outputs.begin(tx, job_id, lease_seconds=60.0)
    desk.again(job_id)
    assert mine is not None
    with desk.worker.store.begin() as tx:
        assert not outputs.end(tx, mine, "refused", state=outputs.REFUSED)
    assert take(desk) is not None


def test_a_secret_that_is_not_there_is_told_with_its_name(desk: Desk) -> None:
    output = {"type": "s3", "location": "s3://bucket", "credentials": {"secretRef": {"name": "missing"}}}
    job_id = desk.completed(output)
    desk.see_to(job_id)
    status, reason, message = desk.condition(job_id)
    assert (status, reason) == ("False", "SecretNotFound")
    assert "There is no secret default/missing." in message


def test_an_accounts_secret_is_not_lent_to_an_output(desk: Desk, tmp_path: Path) -> None:
    desk.secret("aws-lab", access_key_id="AKIA", secret_access_key="hunter2")
    config = desk.settings.home_path / "config.yaml"
    config.write_text(
        "accounts: [{name: lab, provider: aws_braket, bucket: 's3://b', "
        "credentials: {secretRef: {name: aws-lab, namespace: default}}}]"
    )
    assert load_config(config).reserves(namespace="default", name="aws-lab")
    job_id = desk.completed({"type": "s3", "location": "s3://b", "credentials": {"secretRef": {"name": "aws-lab"}}})
    desk.see_to(job_id)
    assert desk.condition(job_id)[:2] == ("False", "SecretReserved")


def test_a_result_that_cannot_be_written_so_is_refused(desk: Desk) -> None:
    job_id = desk.completed({**OUT, "format": "qpy"})
    desk.see_to(job_id)
    assert desk.condition(job_id)[:2] == ("False", "CircuitNotKept")


def test_sources_and_outputs_mean_the_same_cluster(desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from qtasks.circuits.sources import fetching

    def agree() -> bool:
        folder = fetching._configmaps(desk.settings)
        assert bool(folder) is not cluster.in_cluster(desk.settings)
        return not folder

    assert not agree()
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert agree()
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube/config").write_text("{}")
    assert agree()
