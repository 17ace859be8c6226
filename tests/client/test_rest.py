"""What goes wrong between a client and the API: answers that are lost, servers that are away, busy, or another's."""

from __future__ import annotations

import json
import os
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr

from qtasks.client import Client
from qtasks.errors import Forbidden, InvalidInput, NotFound, Unavailable
from qtasks.settings import Settings
from tests.client.losing import LOSE, Losing, losing
from tests.client.scene import BUDGET, SEEDED, Scene
from tests.support.circuits import bell, small_qasm
from tests.support.relay import Relay
from tests.support.servers import free_port

pytestmark = pytest.mark.system

TOKEN = "qtk_" + "a" * 43
PROBLEM = {"Content-Type": "application/problem+json"}


def problem(name: str, reason: str) -> bytes:
    return json.dumps({"type": f"urn:qtasks:{name}", "detail": "So it is.", "reason": reason, "hint": "Wait."}).encode()


@pytest.fixture
def between(scene: Scene) -> Iterator[Losing]:
    with losing(scene.url) as server:
        yield server


def through(scene: Scene, url: str, namespace: str = "rest") -> Client:
    token = SecretStr(scene.tokens["alice"])
    return Client(scene.stack.settings.model_copy(update={"api_url": url, "api_token": token}), namespace=namespace)


def test_a_lost_answer_never_makes_two_jobs(scene: Scene, between: Losing) -> None:
    with through(scene, between.url) as client:
        before = len(client.page(limit=1000))
        between.fates = [LOSE, LOSE]
        job = client.submit(bell(), **SEEDED)
        assert job.created
        between.fates = [LOSE]
        jobs = client.submit_many([small_qasm(n) for n in range(3)], **SEEDED)
        assert [job.created for job in jobs] == [True] * 3
        assert len(client.page(limit=1000)) == before + 4
    posted = [headers.get("Idempotency-Key") for method, _, headers in between.requests if method == "POST"]
    assert posted[0] and posted[:3] == [posted[0]] * 3


def test_what_cannot_be_done_twice_alike_is_not_sent_twice(scene: Scene, between: Losing) -> None:
    with through(scene, between.url) as client:
        between.fates = [LOSE]
        with pytest.raises(Unavailable) as lost:
            client.apply_budget(BUDGET)
        assert lost.value.reason == "ApiUnavailable" and len(between.requests) == 1
        between.fates = [(429, {**PROBLEM, "Retry-After": "0"}, problem("Unavailable", "RateLimited"))]
        assert client.apply_budget(BUDGET) == "unchanged"
        client.delete_budget("research")


def test_a_busy_server_is_asked_again_when_it_says(scene: Scene, between: Losing) -> None:
    with through(scene, between.url) as client:
        between.fates = [
            (429, {**PROBLEM, "Retry-After": "1"}, problem("Unavailable", "RateLimited")),
            (503, PROBLEM, problem("Unavailable", "DatabaseUnavailable")),
            (502, {"Content-Type": "text/html"}, b"<h1>Bad gateway</h1>"),
        ]
        began = time.monotonic()
        assert client.whoami()["name"] == "alice"
        assert time.monotonic() - began > 1.0 and len(between.requests) == 4
        between.fates = [(503, PROBLEM, problem("Unavailable", "DatabaseUnavailable"))] * 9
        with pytest.raises(Unavailable, match="So it is") as away:
            client.whoami()
        assert (away.value.reason, away.value.hint) == ("DatabaseUnavailable", "Wait.")


@pytest.mark.parametrize(
    ("fate", "said"),
    [
        ((200, {"Content-Type": "text/html"}, b"<h1>Welcome</h1>"), "that is no JSON"),
        ((404, {"Content-Type": "text/html"}, b"<h1>Not here</h1>"), "status 404"),
        ((301, {"Location": "https://elsewhere.example/v1/whoami"}, b""), "It names https://elsewhere.example"),
        ((500, PROBLEM, b"no json"), "status 500"),
    ],
)
def test_another_server_is_not_taken_for_an_api(scene: Scene, between: Losing, fate: object, said: str) -> None:
    with through(scene, between.url) as client:
        between.fates = [fate]
        with pytest.raises(Unavailable, match="is no API of qtasks") as refused:
            client.whoami()
        assert said in refused.value.message and "QTASKS_API_URL" in refused.value.hint
        assert len(between.requests) == 1  # whoever answers with another address is not given the token there


def test_a_server_that_is_away_is_unavailable_with_a_hint(scene: Scene) -> None:
    with through(scene, f"http://127.0.0.1:{free_port()}") as client, pytest.raises(Unavailable) as away:
        client.whoami()
    assert away.value.reason == "ApiUnavailable" and "qtasks api" in away.value.hint


def test_waiting_goes_on_over_an_api_that_restarts(scene: Scene) -> None:
    port = int(scene.url.rsplit(":", 1)[1])
    with Relay(port) as relay, through(scene, f"http://127.0.0.1:{relay.port}") as client:
        job = client.submit(small_qasm(77), **SEEDED)
        relay.down()
        back = threading.Timer(1.0, relay.up)
        back.start()
        assert sum(job.result(60).get_counts().values()) == SEEDED["shots"]
        back.join()


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"api_url": "http://qtasks.example", "api_token": TOKEN}, "InsecureApi"),
        ({"api_url": "http://127.0.0.1.example:8000", "api_token": TOKEN}, "InsecureApi"),
        ({"api_url": "https://user:hidden@qtasks.example"}, "InvalidSettings"),
        ({"api_url": "ftp://qtasks.example"}, "InvalidSettings"),
        ({"api_url": "qtasks.example:8000"}, "InvalidSettings"),
        ({"api_url": "http://[::1"}, "InvalidSettings"),
    ],
)
def test_an_address_that_gives_the_token_away_is_refused(values: dict[str, str], reason: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Client(Settings(**values))
    assert refused.value.reason == reason
    assert TOKEN not in str(refused.value) and "hidden" not in str(refused.value)


def test_loopback_and_whoever_says_so_may_be_spoken_to_in_the_clear() -> None:
    for url in ("http://localhost:1", "http://127.1.2.3:1", "http://[::1]:1", "https://qtasks.example"):
        Client(Settings(api_url=url, api_token=TOKEN)).close()
    Client(Settings(api_url="http://qtasks.example", api_token=TOKEN, api_insecure=True)).close()
    Client(Settings(api_url="http://qtasks.example")).close()


def test_a_certificate_counts_when_its_authority_is_known(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, served = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(served)
    with losing(scene.url, served) as server:
        with through(scene, server.url) as client, pytest.raises(Unavailable) as refused:
            client.whoami()
        assert "SSL_CERT_FILE" in refused.value.hint and server.requests == []
        authority.cert_pem.write_to_path(tmp_path / "authority.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        with through(scene, server.url) as client:
            assert client.whoami()["name"] == "alice"


def test_the_token_is_shown_nowhere(scene: Scene, between: Losing) -> None:
    token = scene.tokens["alice"]
    with through(scene, between.url) as client:
        between.fates = [LOSE]
        with pytest.raises(Unavailable) as lost:
            client.apply_budget(BUDGET)
        gateway = client._gateway
        shown = [str(lost.value), repr(lost.value), repr(lost.value.__cause__), repr(client), repr(gateway)]
        shown += [str(vars(gateway)), str(vars(vars(gateway)["_transport"]))]
        assert not any(token in each for each in shown)
        assert between.requests[0][2]["Authorization"] == f"Bearer {token}"
        client.apply_budget(BUDGET)
        client.delete_budget("research")


def test_threads_share_a_client(scene: Scene) -> None:
    with through(scene, scene.url) as client, ThreadPoolExecutor(8) as threads:
        jobs = list(threads.map(lambda n: client.submit(small_qasm(n), shots=n + 1), range(24)))
        results = list(threads.map(lambda job: job.result(60), jobs))
    assert [sum(result.get_counts().values()) for result in results] == [n + 1 for n in range(24)]


def test_a_forked_process_has_connections_of_its_own(scene: Scene) -> None:
    with through(scene, scene.url, "lab") as client:
        assert client.whoami()["name"] == "alice"
        child = os.fork()
        if child == 0:
            wrong = 1
            try:
                said = [client.job(name).name for name in ["bell", "bad"] * 20]
                wrong = int(said != ["bell", "bad"] * 20)
            finally:
                os._exit(wrong)
        said = [client.job(name).name for name in ["gone", "large"] * 20]
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert said == ["gone", "large"] * 20


def test_a_refused_request_of_many_says_what_was_submitted_before(scene: Scene, between: Losing) -> None:
    with through(scene, between.url) as client:
        between.fates = [None, (403, PROBLEM, problem("Forbidden", "QuotaExceeded"))]
        large = f"{small_qasm(1)}//{'x' * (3 * 2**20)}"
        with pytest.raises(Forbidden) as refused:
            client.submit_many([large] * 3, **SEEDED)
        (first,) = refused.value.details["submitted"]
        assert client.job(first).job_id() == first


def test_what_no_address_can_name_is_not_found(scene: Scene) -> None:
    with through(scene, scene.url) as client:
        for asked in ("", "..", "a b", "ä", "x" * 600, "../v1/whoami", "a?b", "a#b"):
            with pytest.raises(NotFound, match="There is no job"):
                client.job(asked)
