"""Jobs over REST: submitted in every form, looked at, waited for, listed, cancelled."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from qtasks.circuits.formats import dump
from tests.api.conftest import Scene, job, too_large
from tests.support.circuits import BELL_QASM, BELL_SOURCE, bell

pytestmark = pytest.mark.system

Submit = Callable[..., str]


def _finished(alice: httpx.Client, job_id: str) -> dict[str, Any]:
    answer = alice.get(f"/v1/jobs/{job_id}", params={"wait": 60})
    assert answer.status_code == 200
    return dict(answer.json())


def _own() -> str:
    return f"j{uuid.uuid4().hex[:12]}"


def test_a_job_is_submitted_watched_and_retrieved(alice: httpx.Client) -> None:
    answer = alice.post("/v1/jobs", json=job())
    made = answer.json()
    job_id = made["metadata"]["uid"]
    assert (answer.status_code, answer.headers["location"]) == (201, f"/v1/jobs/{job_id}")
    assert made["created"] and made["status"] == {"phase": "Pending"} and made["metadata"]["namespace"] == "default"
    seen = _finished(alice, job_id)
    assert seen["status"]["phase"] == "Completed"
    assert seen["spec"]["circuit"]["code"] == BELL_QASM
    result = alice.get(f"/v1/jobs/{job_id}/result").json()
    assert result["counts"] == seen["status"]["counts"] and sum(result["counts"].values()) == 100


def test_every_form_of_the_same_circuit_gives_the_same_counts(alice: httpx.Client) -> None:
    options = {"shots": 100, "seed_simulator": 7, "backend": "local_simulator", "labels": "form=bare,team=a"}
    qpy = dump(bell())
    yaml = f"kind: QiskitJob\nspec: {json.dumps(job()['spec'])}\n"
    answers = [
        alice.post("/v1/jobs", json=job()),
        alice.post("/v1/jobs", content=yaml, headers={"Content-Type": "application/yaml"}),
        alice.post("/v1/jobs", json=job(code=base64.b64encode(qpy).decode())),
    ]
    for kind, circuit in (("x-qasm", BELL_QASM), ("x-qpy", qpy)):
        headers = {"Content-Type": f"application/{kind}"}
        answers.append(alice.post("/v1/jobs", params=options, content=circuit, headers=headers))
    text = {"Content-Type": "text/plain; charset=utf-8"}
    answers.append(alice.post("/v1/jobs", params=options, content=BELL_SOURCE, headers=text))
    assert [answer.status_code for answer in answers] == [201] * 6, [answer.text for answer in answers]
    ended = [_finished(alice, answer.json()["metadata"]["uid"]) for answer in answers]
    counts = [each["status"]["counts"] for each in ended]
    assert counts == [counts[0]] * 6
    assert ended[-1]["metadata"]["labels"] == {"form": "bare", "team": "a"}


def test_a_list_is_taken_as_a_whole_or_not_at_all(alice: httpx.Client) -> None:
    first, second, third = _own(), _own(), _own()
    good = alice.post("/v1/jobs", json={"kind": "List", "items": [job(first), job(second)]})
    assert good.status_code == 201
    assert [item["metadata"]["name"] for item in good.json()["items"]] == [first, second]
    bad = alice.post("/v1/jobs", json={"kind": "List", "items": [job(third), job(first, shots=99)]})
    assert (bad.status_code, bad.json()["reason"]) == (409, "JobExists")
    assert alice.get(f"/v1/jobs/{third}").status_code == 404
    wrong = alice.post("/v1/jobs", json={"kind": "List", "items": [job(), job(shots=0), job(shots="many")]})
    assert [problem["document"] for problem in wrong.json()["details"]["problems"]] == [2, 3]


def test_twenty_identical_requests_at_once_make_one_job(scene: Scene) -> None:
    key = {"Idempotency-Key": _own(), **scene.api.headers("alice")}

    def send(_: int) -> httpx.Response:
        return httpx.post(f"{scene.api.url}/v1/jobs", json=job(), headers=key, timeout=60)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(send, range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.json()["metadata"]["uid"] for answer in answers}) == 1
    assert [answer.json()["created"] for answer in answers].count(True) == 1


def test_keys_of_a_list_are_each_items_own(alice: httpx.Client) -> None:
    keys = [_own(), None]
    body = {"kind": "List", "items": [job(), job()], "idempotencyKeys": keys}
    first, again = (alice.post("/v1/jobs", json=body).json()["items"] for _ in range(2))
    assert [item["created"] for item in again] == [False, True]
    assert again[0]["metadata"] == first[0]["metadata"]
    assert alice.post("/v1/jobs", json=body, headers={"Idempotency-Key": "x"}).status_code == 422
    assert alice.post("/v1/jobs", json={**body, "idempotencyKeys": keys[:1]}).status_code == 422


def test_submitting_the_same_name_and_spec_again_answers_with_what_is_there(alice: httpx.Client) -> None:
    name = _own()
    first = alice.post("/v1/jobs", json=job(name))
    _finished(alice, name)
    again = alice.post("/v1/jobs", json=job(name))
    assert (again.status_code, again.json()["created"]) == (200, False)
    assert again.json()["status"] == {"phase": "Completed"}
    assert again.json()["metadata"] == first.json()["metadata"]


def test_a_job_that_is_as_known_is_not_sent_again(alice: httpx.Client, submit: Submit) -> None:
    job_id = submit()
    _finished(alice, job_id)
    answer = alice.get(f"/v1/jobs/{job_id}")
    same = alice.get(f"/v1/jobs/{job_id}", headers={"If-None-Match": answer.headers["etag"]})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", answer.headers["etag"])
    assert alice.get(f"/v1/jobs/{job_id}", headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_long_poll_is_answered_by_the_change(scene: Scene, alice: httpx.Client) -> None:
    waits = alice.post("/v1/jobs", json=too_large()).json()["metadata"]["uid"]
    phases = {"ids": [waits], "known": {waits: alice.get(f"/v1/jobs/{waits}").json()["status"]["phase"]}, "wait": 0.2}
    assert alice.post("/v1/jobs/phases", json=phases).status_code == 200
    with ThreadPoolExecutor(3) as pool:
        status = pool.submit(_timed, scene, "GET", f"/v1/jobs/{waits}?wait=50")
        many = pool.submit(_timed, scene, "POST", "/v1/jobs/phases", json={"ids": [waits], "wait": 50})
        result = pool.submit(_timed, scene, "GET", f"/v1/jobs/{waits}/result?wait=50")
        cancelled = alice.post(f"/v1/jobs/{waits}/cancel")
        ended = time.monotonic()
        assert cancelled.json() == {"cancelled": True, "phase": "Cancelled"}
        answers = [each.result(timeout=60) for each in (status, many, result)]
    assert all(at - ended < 5 for _, at in answers)
    assert answers[0][0].json()["status"]["phase"] == "Cancelled"
    assert answers[1][0].json() == {"phases": {waits: "Cancelled"}}
    assert (answers[2][0].status_code, answers[2][0].json()["type"]) == (409, "urn:qtasks:JobFailed")
    assert alice.post("/v1/jobs/cancel", json={"ids": [waits]}).json() == {"cancelled": []}


def _timed(scene: Scene, method: str, path: str, **options: Any) -> tuple[httpx.Response, float]:
    answer = httpx.request(method, scene.api.url + path, headers=scene.api.headers("alice"), timeout=90, **options)
    return answer, time.monotonic()


def test_a_list_is_read_in_pages_and_narrowed(alice: httpx.Client) -> None:
    mark, since = _own(), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 300))
    for number in range(5):
        document = job(priority="high" if number == 4 else "low")
        document["metadata"] = {"labels": {"mark": mark, "number": str(number)}}
        assert alice.post("/v1/jobs", json=document).status_code == 201
    seen: list[str] = []
    cursor = ""
    for _ in range(4):
        page = alice.get(
            "/v1/jobs",
            params={"labels": f"mark={mark}", "limit": 2, "since": since, **({"cursor": cursor} if cursor else {})},
        ).json()
        seen += [item["metadata"]["labels"]["number"] for item in page["items"]]
        cursor = page["metadata"]["continue"]
        if not cursor:
            break
    assert seen == ["4", "3", "2", "1", "0"]
    narrow = {"labels": f"mark={mark},number!=0", "priority": "low", "queues": "true"}
    assert len(alice.get("/v1/jobs", params=narrow).json()["items"]) == 3
    assert alice.get("/v1/jobs", params={**narrow, "phase": "Failed"}).json()["items"] == []
    assert alice.get("/v1/jobs", params={**narrow, "since": "2100-01-01"}).json()["items"] == []
    assert alice.get("/v1/jobs", params={**narrow, "backend": "ibm_fez"}).json()["items"] == []


def test_a_job_is_explained_estimated_and_logged(alice: httpx.Client, submit: Submit) -> None:
    job_id = submit()
    _finished(alice, job_id)
    assert alice.get(f"/v1/jobs/{job_id}/explain").json()["reason"] == "NothingChosen"
    log = alice.get(f"/v1/jobs/{job_id}/logs")
    assert log.headers["content-type"].startswith("text/plain") and "Completed: The result is stored." in log.text
    estimate = alice.post("/v1/estimate", json=job()).json()["items"]
    assert estimate[0]["selection"]["chosen"]["device"] == "local_simulator"
    assert alice.post("/v1/jobs/queues", json={"ids": [job_id]}).json() == {"queues": {}}


def test_a_provider_s_id_with_slashes_is_one_part_of_the_path(alice: httpx.Client) -> None:
    answer = alice.get("/v1/jobs/arn%3Aaws%3Abraket%3Aus-east-1%3A1%3Aquantum-task%2Fabc/result")
    assert answer.json()["reason"] == "JobNotFound"
    assert "quantum-task/abc" in answer.json()["detail"]
