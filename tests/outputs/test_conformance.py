"""What every output does, wherever it goes."""

from __future__ import annotations

import io
import json
import logging
import pickle
import signal
import subprocess
import sys

import pytest

from qtasks.results import SamplerPubResult
from tests.outputs.desk import BELL, Desk
from tests.outputs.places import Place
from tests.unit.results.examples import with_pubs

pytestmark = pytest.mark.system

COUNTS = {"00": 510, "11": 514}
OTHER = with_pubs(SamplerPubResult([("meas", 1)], 1, 7, {"0x1": 7}))


def test_a_result_is_written_whole_and_its_condition_says_where(desk: Desk, place: Place) -> None:
    job_id = desk.completed(place.output())
    desk.see_to(job_id)
    assert json.loads(place.read("out"))["counts"] == COUNTS
    assert len(place.names()) == 1
    status, reason, message = desk.condition(job_id)
    assert (status, reason) == ("True", "Delivered")
    assert message.startswith("The result was delivered to ") and "out" in message
    assert [(event.reason, event.warning) for event in desk.events(job_id)] == [("OutputDelivered", False)]


def test_a_later_result_replaces_an_earlier_one(desk: Desk, place: Place) -> None:
    for result in (BELL, OTHER, BELL, OTHER):
        desk.see_to(desk.completed(place.output(), result))
    assert json.loads(place.read("out"))["counts"] == {"1": 7}
    assert len(place.names()) == 1


def test_what_is_delivered_again_is_the_same(desk: Desk, place: Place) -> None:
    job_id = desk.completed(place.output())
    desk.see_to(job_id)
    before = place.read("out")
    desk.see_to(job_id)
    desk.again(job_id)
    assert desk.condition(job_id)[:2] == ("Unknown", "OutputAsked")
    desk.try_again()
    assert (place.read("out"), len(place.names())) == (before, 1)
    assert desk.condition(job_id)[0] == "True"


def test_what_fails_is_tried_again_until_it_heals(desk: Desk, place: Place, caplog: pytest.LogCaptureFixture) -> None:
    job_id = desk.completed(place.output())
    with caplog.at_level(logging.DEBUG):
        with place.away():
            desk.see_to(job_id)
            status, reason, message = desk.condition(job_id)
            assert (status, reason, desk.state(job_id)) == ("False", "OutputRetrying", "due")
            assert "It is tried again at 20" in message
            desk.try_again()
        assert not place.names()
        desk.try_again()
    assert json.loads(place.read("out"))["counts"] == COUNTS
    assert (desk.condition(job_id)[0], desk.state(job_id)) == ("True", "delivered")
    assert [event.reason for event in desk.events(job_id)] == ["OutputRetrying", "OutputDelivered"]
    _nothing_secret(desk, place, job_id, caplog)


def test_what_is_refused_ends_at_once_and_goes_on_when_it_is_asked_for(
    desk: Desk, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    job_id = desk.completed(place.output())
    with caplog.at_level(logging.DEBUG):
        with place.refuses():
            desk.see_to(job_id)
        status, reason, message = desk.condition(job_id)
        assert (status, desk.state(job_id)) == ("False", "refused")
        assert reason in ("OutputForbidden", "InvalidOutput")
        assert f"qtasks redeliver {job_id}" in message
        _nothing_secret(desk, place, job_id, caplog)
        desk.again(job_id)
        desk.try_again()
    assert (desk.condition(job_id)[0], len(place.names())) == ("True", 1)
    _nothing_secret(desk, place, job_id, caplog)


def _nothing_secret(desk: Desk, place: Place, job_id: str, caplog: pytest.LogCaptureFixture) -> None:
    said = f"{desk.condition(job_id)} {desk.events(job_id)} {caplog.text}"
    assert not [secret for secret in place.secrets() if secret in said]


def test_a_template_makes_a_place_for_each_job(desk: Desk, place: Place) -> None:
    name = "{name}-{date}" if "/" not in place.output()["location"] else "{namespace}-{name}-{job_id}-{format}-{date}"
    for job in ("vqe", "qaoa"):
        job_id = desk.completed(place.output(place=name), name=job)
        desk.see_to(job_id)
        assert desk.condition(job_id)[0] == "True"
    assert len(place.names()) == 2
    assert all(any(job in found for found in place.names()) for job in ("vqe", "qaoa"))
    assert not [found for found in place.names() if "{" in found]


def test_counts_are_equal_in_every_format(desk: Desk, place: Place) -> None:
    from qiskit import QuantumCircuit, qpy

    bell = QuantumCircuit(2, name="bell")
    bell.h(0)
    bell.cx(0, 1)
    bell.measure_all()
    for fmt in ("json", "csv", "qpy", "pickle"):
        job_id = desk.completed(place.output(place=f"as-{fmt}", fmt=fmt), circuit=bell)
        desk.see_to(job_id)
        assert desk.condition(job_id)[0] == "True"
    assert json.loads(place.read("as-json"))["counts"] == COUNTS
    rows = [row.split(",") for row in place.read("as-csv").decode().splitlines()[1:]]
    assert {outcome: int(count) for outcome, count in rows} == COUNTS
    [circuit] = qpy.load(io.BytesIO(place.read("as-qpy")))
    assert (circuit.name, circuit.metadata["qtasks"]["counts"]) == ("bell", COUNTS)
    assert pickle.loads(place.read("as-pickle"))["result"][0].data.meas.get_counts() == COUNTS


def test_a_place_that_held_text_takes_bytes_and_text_again(desk: Desk, place: Place) -> None:
    for fmt in ("json", "pickle", "json"):
        desk.see_to(desk.completed({**place.output(), "format": fmt}))
    assert json.loads(place.read("out"))["counts"] == COUNTS
    assert len(place.names()) == 1


DELIVER_FOR_EVER = """
import json, sys, time
from qtasks.errors import QTasksError
from qtasks.results.outputs import Delivery, Means, deliver
from qtasks.settings import Settings
from qtasks.stages.asking import asker
from qtasks.secrets import read_secret
output, settings, size = json.loads(sys.argv[1]), Settings(**json.loads(sys.argv[2])), int(sys.argv[3])
secret = None
if "credentials" in output:
    secret = read_secret(settings, namespace="default", name="place").values
for number in range(1000):
    means = Means(settings, secret, asker(settings, ends=time.monotonic() + 20))
    job = Delivery("default", "job", output["location"], output.get("path"), "name", "json", "2026-01-02")
    deliver(output["type"], job, bytes([97 + number % 26]) * size, means)
    print(number, flush=True)
"""


def test_a_worker_killed_in_the_middle_leaves_nothing_half_written(desk: Desk, place: Place) -> None:
    settings = json.dumps({"home": str(desk.settings.home_path), "source_hosts": "127.0.0.1", "source_http": True})
    command = [sys.executable, "-c", DELIVER_FOR_EVER, json.dumps(place.output()), settings, str(place.largest)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for _ in range(3):
            assert writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
    found = place.read("out")
    assert (len(found), len(set(found)), len(place.names())) == (place.largest, 1, 1)
    desk.see_to(desk.completed(place.output()))
    assert json.loads(place.read("out"))["counts"] == COUNTS
