"""What the API refuses, and how it says so: a problem document with a status, a reason and a hint."""

from __future__ import annotations

import itertools
import re
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from qtasks.api.app import create_app
from qtasks.settings import Settings
from tests.api.conftest import Api, Scene, job, too_large
from tests.support.servers import eventually

pytestmark = pytest.mark.system

NOBODY = "0198c0de-0000-7000-8000-000000000000"
JSON = {"Content-Type": "application/json"}


def problem(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, class and reason of a refusal, whose form is checked by the way."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    found = answer.json()
    assert found["status"] == answer.status_code and found["detail"] and found["title"]
    assert found["instance"] == answer.request.url.path
    assert answer.headers["x-request-id"]
    return answer.status_code, found["type"].removeprefix("urn:qtasks:"), found["reason"]


@pytest.mark.parametrize(
    ("method", "path", "options", "refusal"),
    [
        ("GET", "/v1/nothing", {}, (404, "NotFound", "NoSuchRoute")),
        ("PUT", "/v1/jobs", {}, (405, "InvalidInput", "MethodNotAllowed")),
        ("GET", f"/v1/jobs/{NOBODY}", {}, (404, "NotFound", "JobNotFound")),
        ("GET", "/v1/budgets/none", {}, (404, "NotFound", "BudgetNotFound")),
        ("GET", "/v1/jobs?phse=Running", {}, (422, "InvalidInput", "UnknownParameter")),
        ("GET", "/v1/jobs?phase=Runing", {}, (422, "InvalidInput", "InvalidParameter")),
        ("GET", "/v1/jobs?limit=1001", {}, (422, "InvalidInput", "InvalidParameter")),
        ("GET", "/v1/jobs?namespace=%00", {}, (422, "InvalidInput", "InvalidParameter")),
        ("GET", "/v1/jobs?labels=a%20b", {}, (422, "InvalidInput", "InvalidSelector")),
        ("GET", "/v1/jobs?namespace=physics", {}, (403, "Forbidden", "Forbidden")),
        ("POST", "/v1/jobs", {"content": b"{", "headers": JSON}, (400, "InvalidInput", "UnreadableBody")),
        ("POST", "/v1/jobs", {"content": b'{"a": NaN}', "headers": JSON}, (400, "InvalidInput", "UnreadableBody")),
        ("POST", "/v1/jobs", {"content": b'"\\ud800"', "headers": JSON}, (400, "InvalidInput", "UnreadableBody")),
        ("POST", "/v1/jobs", {"content": b"[" * 100_000, "headers": JSON}, (400, "InvalidInput", "UnreadableBody")),
        ("POST", "/v1/jobs", {"data": {"a": "b"}}, (415, "InvalidInput", "UnsupportedMediaType")),
        ("POST", "/v1/jobs", {"json": job(shots=0)}, (422, "InvalidInput", "InvalidResource")),
        ("POST", "/v1/jobs?shots=5", {"json": job()}, (422, "InvalidInput", "InvalidInput")),
        ("POST", "/v1/jobs", {"json": {"kind": "QiskitBudget", "spec": {}}}, (422, "InvalidInput", "InvalidResource")),
        ("POST", "/v1/jobs", {"json": job(priority="urgent")}, (403, "Forbidden", "UrgentNotAllowed")),
        ("POST", "/v1/jobs", {"json": {**job(), "metadata": {"labels": {"a": "\x00"}}}},
         (422, "InvalidInput", "InvalidResource")),
        ("POST", "/v1/jobs/phases", {"json": {"ids": ["x"]}}, (422, "InvalidInput", "InvalidBody")),
        ("POST", "/v1/jobs/phases", {"json": {"ids": [NOBODY]}}, (404, "NotFound", "JobNotFound")),
        ("POST", "/v1/budgets", {"json": {"metadata": {"name": "b"}, "spec": {"limit": "$1.00", "period": "monthly"}}},
         (403, "Forbidden", "Forbidden")),
        ("GET", "/v1/jobs/x/result", {"headers": {"Accept": "image/png"}}, (406, "InvalidInput", "NotAcceptable")),
    ],
)  # fmt: skip
def test_each_wrong_is_told_with_its_reason(
    alice: httpx.Client, method: str, path: str, options: dict[str, Any], refusal: tuple[int, str, str]
) -> None:
    assert problem(alice.request(method, path, **options)) == refusal


def test_a_method_that_is_not_there_is_told_with_those_that_are(alice: httpx.Client) -> None:
    assert alice.put("/v1/jobs").headers["allow"] == "GET, POST"


def test_a_result_is_refused_until_the_job_is_final_and_after_it_failed(alice: httpx.Client) -> None:
    waits = alice.post("/v1/jobs", json=too_large()).json()["metadata"]["uid"]
    early = alice.get(f"/v1/jobs/{waits}/result")
    assert problem(early) == (409, "Conflict", "JobNotFinal") and early.headers["retry-after"] == "1"
    alice.post(f"/v1/jobs/{waits}/cancel")
    late = alice.get(f"/v1/jobs/{waits}/result")
    assert problem(late)[:2] == (409, "JobFailed") and late.json()["details"]["phase"] == "Cancelled"


def test_a_quota_is_told_as_everywhere(alice: httpx.Client) -> None:
    there = alice.post("/v1/jobs", params={"namespace": "small"}, json=too_large())
    assert there.status_code == 201
    beyond = alice.post("/v1/jobs", params={"namespace": "small"}, json=too_large())
    assert problem(beyond) == (403, "Forbidden", "QuotaExceeded")


def test_whoever_asks_is_known_by_a_token_or_not_at_all(scene: Scene) -> None:
    def ask(**headers: str) -> httpx.Response:
        return httpx.get(f"{scene.api.url}/v1/jobs", headers=headers)

    nobody = ask()
    assert problem(nobody) == (401, "Forbidden", "TokenRequired")
    assert nobody.headers["www-authenticate"] == 'Bearer realm="qtasks"'
    for wrong in ("Bearer nonsense", f"Bearer qtk_{'A' * 43}", "Basic YTpi"):
        refused = ask(Authorization=wrong)
        assert problem(refused) == (401, "Forbidden", "TokenInvalid")
        assert 'error="invalid_token"' in refused.headers["www-authenticate"]
        assert wrong.partition(" ")[2] not in refused.text
    for path in ("/healthz", "/readyz", "/openapi.json", "/docs"):
        assert httpx.get(scene.api.url + path).status_code == 200
    swagger = re.findall(r'(?:src|href)="([^"]+)"', httpx.get(f"{scene.api.url}/docs").text)
    assert len(swagger) == 3 and {httpx.get(scene.api.url + path).status_code for path in swagger} == {200}


def test_roles_hold_over_rest(scene: Scene) -> None:
    callers = {who: scene.api.caller(who) for who in ("alice", "olga", "victor", "bob")}
    try:
        job_id = callers["alice"].post("/v1/jobs", json=too_large()).json()["metadata"]["uid"]
        assert problem(callers["victor"].post("/v1/jobs", json=job()))[2] == "Forbidden"
        assert callers["victor"].get(f"/v1/jobs/{job_id}").status_code == 200
        assert problem(callers["victor"].post(f"/v1/jobs/{job_id}/cancel"))[0] == 403
        # Whoever may see nothing of a namespace is not told what is in it.
        unknown = callers["bob"].get(f"/v1/jobs/{job_id}")
        assert problem(unknown) == (404, "NotFound", "JobNotFound")
        assert unknown.json()["detail"] == callers["bob"].get(f"/v1/jobs/{NOBODY}").json()["detail"].replace(
            NOBODY, job_id
        )
        assert callers["bob"].get("/v1/jobs", params={"namespace": "*"}).json()["items"] == []
        assert callers["olga"].post(f"/v1/jobs/{job_id}/cancel").json()["cancelled"]
        assert callers["alice"].get("/v1/whoami").json()["name"] == "alice"
    finally:
        for caller in callers.values():
            caller.close()


@pytest.fixture(scope="module")
def strict(scene: Scene) -> Iterator[Api]:
    """An API that bears little."""
    api = scene.serve(
        QTASKS_API_WORKERS="2",
        QTASKS_API_RATE="20/hour",
        QTASKS_API_IDLE_SECONDS="0.5",
        QTASKS_MAX_INPUT_BYTES="1000",
        QTASKS_API_HOSTS="127.0.0.1,*.example.org",
        QTASKS_API_CORS_ORIGINS="https://lab.example.org",
        QTASKS_API_PROXIES="127.0.0.1",
    )
    api.wait_until_ready()
    yield api
    api.process.stop()


def _raw(api: Api, *parts: bytes, then: Iterable[bytes] = ()) -> bytes:
    """What is answered to bytes that are sent as they are."""
    with socket.create_connection(("127.0.0.1", api.port), timeout=20) as connection:
        for part in itertools.chain(parts, then):
            connection.sendall(part)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
            if b"\r\n\r\n" in answer and answer.endswith(b"}"):
                break
        return answer


def _slowly(chunk: bytes) -> Iterator[bytes]:
    for _ in range(200):
        yield chunk
        time.sleep(0.02)


def test_a_body_that_is_too_large_is_cut_off_whatever_length_it_claims(scene: Scene, strict: Api) -> None:
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {scene.api.tokens['olga']}\r\n".encode()
    claimed = _raw(strict, head, b"Content-Length: 99999999999\r\n\r\n")
    assert b" 413 " in claimed and b'"reason":"TooLarge"' in claimed
    chunks = [b"100000\r\n" + b" " * 2**20 + b"\r\n"] * 3
    streamed = _raw(strict, head, b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n", *chunks)
    assert b" 413 " in streamed
    with pytest.raises(OSError):  # whoever goes on sending is not listened to for ever
        _raw(strict, head, b"Transfer-Encoding: chunked\r\n\r\n", then=_slowly(chunks[0]))
    with strict.caller("olga") as olga:
        assert problem(olga.post("/v1/jobs", json=job(code="//" + "x" * 1000))) == (413, "InvalidInput", "TooLarge")


def test_a_slow_client_holds_nothing(scene: Scene, strict: Api) -> None:
    started = time.monotonic()
    assert _raw(strict, b"GET /healthz HTTP/1.1\r\nHo") == b""
    assert time.monotonic() - started < 5
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {scene.api.tokens['olga']}\r\n".encode()
    slow = _raw(strict, head, b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    assert b" 408 " in slow and b'"reason":"BodyTimeout"' in slow
    assert b" 400 " in _raw(strict, b"no http at all\r\n\r\n")
    assert _raw(strict, b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n") == b""


def test_a_server_answers_to_its_own_names_only(strict: Api) -> None:
    other = httpx.get(f"{strict.url}/openapi.json", headers={"Host": "evil.example"})
    assert problem(other) == (421, "InvalidInput", "HostNotAllowed")
    assert httpx.get(f"{strict.url}/openapi.json", headers={"Host": "a.example.org:80"}).status_code == 200
    # Kubernetes and Prometheus know a pod by its address alone.
    for path in ("/healthz", "/metrics"):
        assert httpx.get(f"{strict.url}{path}", headers={"Host": "10.1.2.3:8000"}).status_code == 200


def test_scripts_of_named_sites_may_use_the_api(strict: Api) -> None:
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    mine = httpx.options(f"{strict.url}/v1/jobs", headers={"Origin": "https://lab.example.org", **ask})
    assert mine.headers["access-control-allow-origin"] == "https://lab.example.org"
    other = httpx.options(f"{strict.url}/v1/jobs", headers={"Origin": "https://evil.example", **ask})
    assert "access-control-allow-origin" not in other.headers


def test_the_rate_of_a_principal_is_counted_over_all_processes(strict: Api) -> None:
    with strict.caller("alice") as alice, strict.caller("victor") as victor:
        answers: list[httpx.Response] = []

        def refused() -> bool:
            # A connection each, so that both processes are asked.
            answers.append(httpx.get(f"{strict.url}/v1/whoami", headers=strict.headers("alice")))
            return answers[-1].status_code == 429

        eventually(refused, what="the limit being reached")
        assert problem(answers[-1]) == (429, "Unavailable", "RateLimited")
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 3600
        assert answers[0].headers["ratelimit-policy"] == '"requests";q=20;w=3600'
        # The first of each process counts against the address, which nobody else uses up with tokens that are good.
        assert 18 <= len(answers) - 1 <= 22
        assert alice.get("/v1/whoami").status_code == 429 and victor.get("/v1/whoami").status_code == 200
        assert alice.get("/healthz").status_code == 200


def test_whoever_shows_no_token_is_counted_by_the_address_that_the_proxy_tells(strict: Api) -> None:
    def ask(address: str) -> int:
        return httpx.get(f"{strict.url}/v1/whoami", headers={"X-Forwarded-For": address}).status_code

    assert [ask("203.0.113.5") for _ in range(22)] == [401] * 20 + [429] * 2
    assert ask("203.0.113.6") == 401


def test_a_web_page_cannot_act_on_an_embedded_stack(tmp_path: Path) -> None:
    app = create_app(Settings(home=tmp_path, api_rate="none"))

    async def ask(**headers: str) -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            return await client.request("PUT", "/healthz", headers=headers)

    import asyncio

    foreign = asyncio.run(ask(Origin="https://evil.example"))
    assert problem(foreign) == (403, "Forbidden", "CrossOrigin")
    assert problem(asyncio.run(ask(Origin="null")))[2] == "CrossOrigin"
    assert asyncio.run(ask(Origin="http://127.0.0.1:8000")).status_code == 405
    assert asyncio.run(ask()).status_code == 405
    rebound = asyncio.run(ask(Host="evil.example:8000"))
    assert problem(rebound) == (421, "InvalidInput", "HostNotAllowed")
