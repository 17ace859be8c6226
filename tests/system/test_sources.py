"""Circuits that lie elsewhere: fetched once, kept with the job, tried again where that may heal."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from qtasks.client import Client, Job
from qtasks.errors import Conflict, JobFailed
from qtasks.lifecycle import Phase
from qtasks.objects import open_store
from tests.sources.repositories import MadeRepository, backend
from tests.sources.web_server import WebServer
from tests.support.circuits import BELL_QASM, BELL_SOURCE
from tests.support.house import QUICK, House
from tests.support.servers import eventually
from tests.support.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("watched")]

SLOW_BELL = "import time\ntime.sleep(3)\n" + BELL_SOURCE
FLIPPED = BELL_SOURCE.replace("qc.h(0)", "qc.x(0)").replace("qc.cx(0, 1)\n", "")
AT_ONCE = {"maxRetries": 2, "backoff": {"initial": "0s", "maximum": "0s"}}


class Web:
    """A server of circuits on loopback, whose answers a test may change at any time."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.refusals: list[int] = []
        """What the next requests are answered with, instead of a file."""
        self.asked: Counter[str] = Counter()
        self.hold = threading.Event()
        self.hold.set()
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked[request.path] += 1
        self.hold.wait(30)
        data = self.files.get(request.path)
        status = self.refusals.pop(0) if self.refusals else 404 if data is None else 200
        body = data or b""
        request.send_response(status)
        request.send_header("Content-Length", str(len(body) if status == 200 else 0))
        request.end_headers()
        if status == 200:
            request.wfile.write(body)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    @contextmanager
    def serving(self) -> Iterator[Web]:
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            self.hold.set()
            self.server.shutdown()
            thread.join()
            self.server.server_close()


@pytest.fixture
def web() -> Iterator[Web]:
    with Web().serving() as web:
        web.files["/bell.py"] = BELL_SOURCE.encode()
        yield web


@pytest.fixture
def client(house: House) -> Client:
    house.workers(2)
    return house.client()


def document(source: dict[str, Any], **spec: Any) -> dict[str, Any]:
    metadata = {"name": spec.pop("name")} if "name" in spec else {}
    return {
        "apiVersion": "quantum.io/v1",
        "kind": "QiskitJob",
        "metadata": metadata,
        "spec": {"circuit": source, "execution": {"seedSimulator": 42}, "retryPolicy": AT_ONCE, **spec},
    }


def at(url: str, **spec: Any) -> dict[str, Any]:
    return document({"source": "url", "url": url}, **spec)


def messages(job: Job, reason: str) -> list[str]:
    return [event["message"] for event in job._client.events(job.job_id()) if event["reason"] == reason]


def condition(job: Job, kind: str) -> dict[str, str]:
    return next(found for found in job.to_dict()["status"]["conditions"] if found["type"] == kind)


def test_a_circuit_at_an_address_runs_and_its_result_says_where_it_came_from(client: Client, web: Web) -> None:
    job = client.submit(at(web.url("/bell.py")))
    result = job.result(60)
    assert result.get_counts() == client.submit(BELL_SOURCE, seed_simulator=42).result(60).get_counts()
    sha256 = hashlib.sha256(BELL_SOURCE.encode()).hexdigest()
    assert result.provenance.source_origin == web.url("/bell.py")
    assert result.provenance.source_sha256 == sha256
    shown = job.to_dict()
    assert shown["status"]["source"] == {"origin": web.url("/bell.py"), "sha256": sha256, "format": "python"}
    assert shown["spec"]["circuit"] == {"source": "url", "url": web.url("/bell.py")}
    assert messages(job, "CircuitFetched") == [f"{len(BELL_SOURCE)} bytes were fetched from {web.url('/bell.py')}."]
    assert web.asked["/bell.py"] == 1


def test_a_file_of_a_git_repository_runs_and_the_commit_stays_with_the_job(
    make_stack: Callable[..., Stack],
    postgres_url: str,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    monkeypatch.delenv("GIT_SSL_CAINFO", raising=False)
    (tmp_path / "repositories").mkdir()
    made = MadeRepository(tmp_path / "repositories")
    commit = made.commit({"circuits/bell.py": BELL_SOURCE})
    secret = tmp_path / "secrets" / "default" / "git"
    secret.mkdir(parents=True)
    (secret / "username").write_text("reader")
    (secret / "password").write_text("hunter2")
    stack = make_stack(
        database_url=postgres_url,
        broker_url=redis_url,
        source_hosts="localhost",
        secrets_dir=tmp_path / "secrets",
        **QUICK,
    )
    stack.worker()
    with WebServer(backend(tmp_path / "repositories", user="reader", password="hunter2"), authority) as server:
        reference = {"repository": server.url("/algorithms.git"), "path": "circuits/bell.py"}
        client = stack.client()
        job = client.submit(document({"source": "git", "gitRef": {**reference, "secretRef": {"name": "git"}}}))
        result = job.result(60)
        refused = client.submit(document({"source": "git", "gitRef": reference}))
        assert refused.wait_for_final_state(60) is Phase.FAILED
    assert set(result.get_counts()) == {"00", "11"}
    assert result.provenance.git_commit == commit
    assert job.to_dict()["status"]["source"]["commit"] == commit
    assert refused.to_dict()["status"]["reason"] in ("SecretRequired", "RepositoryNotFound")
    assert "hunter2" not in "".join(path.read_text(errors="replace") for path in tmp_path.rglob("*.log"))


def test_a_configmap_of_the_jobs_namespace_is_a_source(client: Client, house: House) -> None:
    folder = house.stack.settings.configmaps / client.namespace / "circuits"
    folder.mkdir(parents=True)
    (folder / "bell.qasm").write_text(BELL_QASM)
    source = {"source": "configmap", "configMapRef": {"name": "circuits", "key": "bell.qasm"}}
    job = client.submit(document(source))
    assert set(job.result(60).get_counts()) == {"00", "11"}
    assert job.to_dict()["status"]["source"]["format"] == "qasm2"


def test_the_same_reference_applied_again_is_the_same_job_and_another_is_refused(client: Client, web: Web) -> None:
    first = client.submit(at(web.url("/bell.py"), name="bell"))
    again = client.submit(at(web.url("/bell.py"), name="bell"))
    assert (again.job_id(), again.created) == (first.job_id(), False)
    with pytest.raises(Conflict):
        client.submit(at(web.url("/other.py"), name="bell"))


def test_what_was_fetched_outlives_the_worker_that_fetched_it(house: House, web: Web) -> None:
    web.files["/bell.py"] = SLOW_BELL.encode()
    [doomed] = house.workers(1)
    job = house.client().submit(at(web.url("/bell.py")))
    eventually(lambda: messages(job, "CircuitFetched"), what="the circuit being fetched")
    doomed.kill()
    web.files["/bell.py"] = FLIPPED.encode()
    assert job.status() is Phase.VALIDATING
    house.workers(1)
    result = job.result(60)
    assert set(result.get_counts()) == {"00", "11"}
    assert result.provenance.source_sha256 == hashlib.sha256(SLOW_BELL.encode()).hexdigest()
    assert len(messages(job, "CircuitFetched")) == 1
    assert web.asked["/bell.py"] == 1
    assert job.to_dict()["status"]["attempt"] == 1


def test_a_source_that_does_not_answer_is_asked_again_by_the_retry_policy(client: Client, web: Web) -> None:
    web.refusals = [503, 503]
    job = client.submit(at(web.url("/bell.py")))
    assert set(job.result(60).get_counts()) == {"00", "11"}
    assert job.to_dict()["status"]["attempt"] == 3
    reasons = [event["reason"] for event in job._client.events(job.job_id())]
    assert reasons[:6] == [
        "Submitted",
        "Validating",
        "SourceUnreachable",
        "Validating",
        "SourceUnreachable",
        "Validating",
    ]
    assert condition(job, "Validated")["status"] == "True"


def test_while_it_waits_to_be_asked_again_the_job_is_retrying_and_says_why(client: Client, web: Web) -> None:
    web.refusals = [503]
    policy = {"maxRetries": 1, "backoff": {"initial": "300s", "maximum": "300s"}}
    job = client.submit(at(web.url("/bell.py"), retryPolicy=policy))
    eventually(lambda: job.status() is Phase.RETRYING, what="the job retrying")
    status = job.to_dict()["status"]
    assert (status["reason"], status["attempt"], "notBefore" in status["retry"]) == ("SourceUnreachable", 2, True)
    validated = condition(job, "Validated")
    assert (validated["status"], validated["reason"]) == ("Unknown", "SourceUnreachable")
    assert "Trying again in 300 s" in validated["message"]
    assert job.cancel()


def test_a_source_that_never_answers_fails_the_job_when_its_retries_are_used_up(client: Client, web: Web) -> None:
    web.refusals = [503] * 9
    job = client.submit(at(web.url("/bell.py")))
    with pytest.raises(JobFailed, match="It was tried 3 times") as failure:
        job.result(60)
    assert failure.value.reason == "SourceUnreachable"
    assert web.asked["/bell.py"] == 3
    validated = condition(job, "Validated")
    assert (validated["status"], validated["reason"]) == ("False", "SourceUnreachable")


def test_what_is_not_there_is_refused_at_once(client: Client, web: Web) -> None:
    job = client.submit(at(web.url("/absent.py")))
    with pytest.raises(JobFailed, match=r"absent\.py"):
        job.result(60)
    assert web.asked["/absent.py"] == 1
    assert job.to_dict()["status"]["attempt"] == 1
    assert condition(job, "Validated")["status"] == "False"


def test_a_large_source_is_kept_as_an_object_and_moves_when_the_job_is_final(
    client: Client, house: House, web: Web
) -> None:
    source = BELL_SOURCE + "# " + "x" * 20_000 + "\n"
    web.files["/large.py"] = source.encode()
    job = client.submit(at(web.url("/large.py")))
    job.result(60)
    objects = open_store(house.stack.settings.object_store)
    kept = f"completed/{client.namespace}/{job.job_id()}/input.py"
    assert eventually(
        lambda: objects.exists(kept) and not list(objects.list(f"pending/{client.namespace}/")),
        what="the source moving",
    )
    assert objects.get(kept) == source.encode()


def test_an_input_over_the_limit_is_refused(
    make_stack: Callable[..., Stack], postgres_url: str, redis_url: str, tmp_path: Path
) -> None:
    stack = make_stack(database_url=postgres_url, broker_url=redis_url, max_input_bytes=100)
    folder = stack.settings.configmaps / "default" / "circuits"
    folder.mkdir(parents=True)
    (folder / "large.py").write_text(BELL_SOURCE * 10)
    stack.worker()
    source = {"source": "configmap", "configMapRef": {"name": "circuits", "key": "large.py"}}
    with pytest.raises(JobFailed) as failure:
        stack.client().submit(document(source)).result(60)
    assert failure.value.reason in ("TooLarge", "SourceTooLarge")


def test_a_slow_source_does_not_hold_up_its_neighbours(client: Client, web: Web) -> None:
    web.hold.clear()
    slow = client.submit(at(web.url("/bell.py")))
    eventually(lambda: web.asked["/bell.py"], what="the slow server being asked")
    quick = client.submit_many([BELL_QASM] * 20)
    client.wait(quick, timeout=60)
    assert slow.status() is Phase.VALIDATING
    web.hold.set()
    assert slow.wait_for_final_state(60) is Phase.COMPLETED


def test_a_job_that_is_cancelled_while_its_source_is_fetched_stays_cancelled(house: House, web: Web) -> None:
    web.hold.clear()
    [worker] = house.workers(1)
    client = house.client()
    job = client.submit(at(web.url("/bell.py")))
    eventually(lambda: web.asked["/bell.py"], what="the slow server being asked")
    assert job.cancel()
    web.hold.set()
    assert client.submit(BELL_QASM).wait_for_final_state(60) is Phase.COMPLETED
    assert job.status() is Phase.CANCELLED
    assert messages(job, "CircuitFetched") == []
    worker.stop()
