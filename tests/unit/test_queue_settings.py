"""The broker's topology and Celery's settings: what the guarantees need of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from celery import Celery

from qtasks.lifecycle import Queue, Stage
from qtasks.queue import PRIORITY_STEPS, celery_app, kombu_url, level_name, queue_key, task_name


@pytest.fixture
def app() -> Iterator[Celery]:
    made = celery_app("redis://127.0.0.1:6379/0")
    yield made
    made.close()


def test_a_message_is_acknowledged_after_the_work_and_not_requeued_when_the_worker_dies(app: Celery) -> None:
    assert app.conf.task_acks_late is True
    assert app.conf.task_reject_on_worker_lost is False


def test_a_worker_fetches_no_message_before_it_can_do_it(app: Celery) -> None:
    assert app.conf.worker_disable_prefetch is True
    assert app.conf.worker_prefetch_multiplier == 1


def test_results_are_not_celerys(app: Celery) -> None:
    assert app.conf.result_backend is None
    assert app.conf.task_ignore_result is True
    assert app.conf.task_store_errors_even_if_ignored is False


def test_messages_are_json_only(app: Celery) -> None:
    assert app.conf.task_serializer == "json"
    assert app.conf.accept_content == ["json"]


def test_each_stage_has_its_queues_and_no_other_is_made(app: Celery) -> None:
    assert [queue.name for queue in app.conf.task_queues] == list(Queue)
    assert {queue.stage for queue in Queue} == set(Stage)
    assert Queue.of(Stage.VALIDATION) == (Queue.VALIDATION, Queue.FETCH)
    assert app.conf.task_create_missing_queues is False
    assert task_name(Stage.VALIDATION) == "qtasks.validation"


def test_there_are_four_levels_and_what_names_none_is_normal(app: Celery) -> None:
    options = app.conf.broker_transport_options
    assert options["priority_steps"] == list(PRIORITY_STEPS) == [0, 3, 6, 9]
    assert options["queue_order_strategy"] == "priority"
    assert app.conf.task_default_priority == 6
    assert [level_name(level) for level in PRIORITY_STEPS] == ["urgent", "high", "normal", "low"]


def test_a_frozen_redis_is_waited_for_no_longer_than_seconds(app: Celery) -> None:
    options = app.conf.broker_transport_options
    assert 0 < options["socket_timeout"] <= 30
    assert 0 < options["socket_connect_timeout"] <= 10
    assert options["socket_keepalive"] is True


def test_the_separator_gives_the_keys_that_are_counted(app: Celery) -> None:
    assert app.conf.broker_transport_options["sep"] == ":"
    assert [queue_key(Queue.SMALL, level) for level in PRIORITY_STEPS] == [
        "execution",
        "execution:3",
        "execution:6",
        "execution:9",
    ]


def test_times_are_utc(app: Celery) -> None:
    assert (app.conf.enable_utc, app.conf.timezone) == (True, "UTC")


@pytest.mark.parametrize(
    ("url", "kombus"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("rediss://user:secret@redis/3", "rediss://user:secret@redis/3"),
        ("unix:///run/redis.sock?db=0", "redis+socket:///run/redis.sock?virtual_host=0"),
        ("unix:///run/redis.sock?db=5", "redis+socket:///run/redis.sock?virtual_host=5"),
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock?virtual_host=0"),
    ],
)
def test_an_address_is_written_as_kombu_takes_it(url: str, kombus: str) -> None:
    assert kombu_url(url) == kombus
    app = celery_app(url)
    assert app.conf.broker_url == kombus
    app.close()
