"""Results in each form, and events as they come."""

from __future__ import annotations

import io
import json
import pickle
import threading
from collections.abc import Callable

import httpx
import pytest
from qiskit import qpy

from qtasks.results import decode
from tests.api.conftest import Scene, too_large
from tests.support.servers import eventually

pytestmark = pytest.mark.system

Submit = Callable[..., str]


@pytest.fixture
def done(alice: httpx.Client, submit: Submit) -> str:
    job_id = submit()
    assert alice.get(f"/v1/jobs/{job_id}", params={"wait": 60}).json()["status"]["phase"] == "Completed"
    return job_id


def test_every_form_of_a_result_has_the_same_counts(alice: httpx.Client, done: str) -> None:
    path = f"/v1/jobs/{done}/result"
    plain = alice.get(path)
    counts = plain.json()["counts"]
    exact = alice.get(path, headers={"Accept": "application/vnd.qtasks.result"})
    assert decode(exact.content).get_counts() == counts
    csv = alice.get(path, headers={"Accept": "text/csv;q=0.9, image/png"})
    assert csv.headers["content-type"].startswith("text/csv")
    assert csv.text == "outcome,count\n" + "".join(f"{key},{counts[key]}\n" for key in sorted(counts))
    assert alice.get(path, params={"format": "csv"}).content == csv.content
    pickled = alice.get(path, params={"format": "pickle"})
    assert pickled.headers["content-type"] == "application/x-pickle"
    assert pickle.loads(pickled.content)["result"][0].join_data().get_counts() == counts
    written = alice.get(path, headers={"Accept": "application/x-qpy"})
    [circuit] = qpy.load(io.BytesIO(written.content))
    assert circuit.num_qubits == 2 and circuit.metadata["qtasks"]["counts"] == counts


def test_the_tag_of_a_result_is_the_digest_of_what_is_stored(alice: httpx.Client, done: str) -> None:
    path = f"/v1/jobs/{done}/result"
    stored = alice.get(f"/v1/jobs/{done}").json()["status"]["results"]["sha256"]
    exact = alice.get(path, headers={"Accept": "application/vnd.qtasks.result"})
    assert exact.headers["etag"] == f'"{stored}"'
    same = alice.get(path, headers={"Accept": "application/vnd.qtasks.result", "If-None-Match": exact.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    # Another form is another representation.
    assert alice.get(path, headers={"If-None-Match": exact.headers["etag"]}).status_code == 200


def test_events_are_listed_after_a_number(alice: httpx.Client, done: str) -> None:
    events = alice.get(f"/v1/jobs/{done}/events").json()["items"]
    assert [events[0]["reason"], events[-1]["reason"]] == ["Submitted", "Completed"]
    later = alice.get(f"/v1/jobs/{done}/events", params={"after": events[1]["id"]}).json()["items"]
    assert later == events[2:]


def _read(scene: Scene, job_id: str, lines: list[str], headers: dict[str, str]) -> int:
    accept = {"Accept": "text/event-stream", **headers}
    with scene.api.caller() as client, client.stream("GET", f"/v1/jobs/{job_id}/events", headers=accept) as answer:
        lines += answer.iter_lines()
        return answer.status_code


def test_a_stream_of_events_ends_with_the_job_and_goes_on_where_it_was_left(scene: Scene, alice: httpx.Client) -> None:
    job_id = alice.post("/v1/jobs", json=too_large()).json()["metadata"]["uid"]
    lines: list[str] = []
    reader = threading.Thread(target=_read, args=(scene, job_id, lines, {}))
    reader.start()
    eventually(lambda: any("Submitted" in line for line in lines), what="the first event")
    alice.post(f"/v1/jobs/{job_id}/cancel")
    reader.join(20)
    assert not reader.is_alive()
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert events[-1] == {"phase": "Cancelled"}
    listed = alice.get(f"/v1/jobs/{job_id}/events").json()["items"]
    assert [event for event in events if "id" in event] == listed
    numbers = [line.removeprefix("id: ") for line in lines if line.startswith("id: ")]
    assert numbers == [str(event["id"]) for event in listed]
    rest: list[str] = []
    assert _read(scene, job_id, rest, {"Last-Event-ID": numbers[-2]}) == 200
    assert [line for line in rest if line.startswith("id: ")] == [f"id: {numbers[-1]}"]
    # What 204 tells a browser is not to come again.
    assert _read(scene, job_id, [], {"Last-Event-ID": numbers[-1]}) == 204


def test_what_is_kept_beside_jobs_is_applied_listed_and_deleted(scene: Scene) -> None:
    with scene.api.caller("root") as root:
        budget = {"metadata": {"name": "over-rest"}, "spec": {"limit": "$100.00", "period": "monthly"}}
        created = root.post("/v1/budgets", json=budget)
        assert (created.status_code, created.json()["result"]) == (201, "created")
        again = root.post("/v1/budgets", json=budget)
        assert (again.status_code, again.json()["result"]) == (200, "unchanged")
        budget["spec"]["limit"] = "$200.00"  # type: ignore[index]
        assert root.post("/v1/budgets", json=budget).json()["result"] == "configured"
        seen = root.get("/v1/budgets/over-rest").json()
        assert seen["spec"]["limit"] == "$200.00" and seen["status"]["remaining"] == "$200.00"
        assert seen["metadata"]["name"] in [one["metadata"]["name"] for one in root.get("/v1/budgets").json()["items"]]
        assert root.delete("/v1/budgets/over-rest").json()["metadata"]["name"] == "over-rest"
        assert root.get("/v1/budgets/over-rest").status_code == 404
        assert root.get("/v1/backends/local_simulator").json()["items"][0]["name"] == "local_simulator"
        for path in ("/v1/accounts", "/v1/costs?by=month", "/v1/discrepancies", "/v1/sessions?namespace=*"):
            assert root.get(path).json()["items"] == []
        assert root.get("/v1/accuracy").json()["jobs"] == 0
