"""What a whole installation says of itself: lines of log, traces, and what the doctor finds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from qtasks.client import Client
from qtasks.client.checks.finding import Finding, Mark
from qtasks.client.health import examine
from qtasks.lifecycle import Phase
from qtasks.settings import Settings
from qtasks.store import Store, accounts, schema
from qtasks.store.tables import jobs
from qtasks.telemetry import traces
from tests.support.circuits import BELL_QASM
from tests.support.ibm_server import IBMServer
from tests.support.otlp_server import Collector, Span, collector
from tests.support.remote import account, remote_stack, write_accounts
from tests.support.servers import Postgres, eventually, free_port
from tests.support.stack import Process, Stack
from tests.watching.conftest import PASSWORD, GuardedRedis

pytestmark = pytest.mark.system

ACCOUNT = "lab"


@dataclass
class Scene:
    """A stack whose processes trace, with an account at IBM, and an API."""

    stack: Stack
    api: Process
    url: str
    collected: Collector

    def job(self, name: str, *, backend: dict[str, str] | None = None, code: str = BELL_QASM) -> dict[str, Any]:
        spec = {
            "backend": backend or {"type": "local_simulator"},
            "circuit": {"source": "inline", "code": code},
            "execution": {"shots": 100},
        }
        return {"metadata": {"name": name}, "spec": spec}

    def post(self, document: dict[str, Any], **headers: str) -> str:
        answer = httpx.post(f"{self.url}/v1/jobs", json=document, headers=headers)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["metadata"]["uid"])

    def ends(self, job_id: str) -> str:
        """Waits for the end of a job; returns its phase."""
        answer = httpx.get(f"{self.url}/v1/jobs/{job_id}", params={"wait": 60}, timeout=70).json()
        while not Phase(answer["status"]["phase"]).final:
            answer = httpx.get(f"{self.url}/v1/jobs/{job_id}", params={"wait": 60}, timeout=70).json()
        return str(answer["status"]["phase"])

    def spans(self, job_id: str, *names: str) -> dict[str, Span]:
        """The spans of a job, once all of these have come."""

        def come() -> dict[str, Span] | None:
            found = self.collected.of(traces.trace_id(job_id))
            return found if found.keys() >= set(names) else None

        return eventually(come, what=f"spans {names}")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, guarded: GuardedRedis) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("signs")
    with pytest.MonkeyPatch.context() as patch, collector() as collected, IBMServer(devices=("lagos",)) as ibm:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collected.url)
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        values = write_accounts(
            folder,
            account(ACCOUNT, "ibm", ibm.account()),
            account("lost", "gone", ibm.account()),
            secrets={"ibm": ibm.secret()},
        )
        with remote_stack(folder, postgres, guarded, 0, traces=True, log_format="json", **values) as stack:
            port = free_port()
            api = stack.run("api", "--port", str(port))
            scene = Scene(stack, api, f"http://127.0.0.1:{port}", collected)
            eventually(lambda: _ready(scene), seconds=60, what="the API answering")
            yield scene


def _ready(scene: Scene) -> bool:
    assert scene.api.popen.poll() is None, scene.api.text[-3000:]
    try:
        return httpx.get(f"{scene.url}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _lines(process: Process) -> list[dict[str, Any]]:
    """Every line of a process; each is JSON."""
    return [json.loads(line) for line in process.text.splitlines()]


# Traces


_SUBMITTING = """
    from opentelemetry.sdk.trace import TracerProvider
    from qtasks import Client

    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("an application")
    with tracer.start_as_current_span("at work") as span, Client() as client:
        job = client.submit({circuit!r}, shots=100)
        print(job.job_id(), f"{{span.get_span_context().trace_id:032x}}", f"{{span.get_span_context().span_id:016x}}")
"""


def test_a_job_is_one_trace_from_its_producer_over_the_api_to_its_result(scene: Scene) -> None:
    script = textwrap.dedent(_SUBMITTING).format(circuit=BELL_QASM)
    environment = {**os.environ, "QTASKS_TRACES": "true", "QTASKS_API_URL": scene.url}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    job_id, theirs, their_span = done.stdout.split()
    assert scene.ends(job_id) == "Completed"
    found = scene.spans(job_id, "submit", "accept", "validation", "scheduling", "execution", "result.store")
    root = found["submit"]
    assert (root.parent, root.id, root.service) == ("", traces.root_id(job_id), "qtasks-client")
    assert root.links == ((theirs, their_span),)
    assert (found["accept"].parent, found["accept"].service) == (root.id, "qtasks-api")
    for stage in ("validation", "scheduling", "execution"):
        assert (found[stage].parent, found[stage].service) == (root.id, "qtasks-worker"), stage
        assert found[stage].attributes["qtasks.job_id"] == job_id
    assert found["result.store"].parent == found["execution"].id
    ends = [found[name].end for name in ("validation", "scheduling", "execution")]
    assert root.start <= found["accept"].start and ends == sorted(ends)


def test_the_trace_of_whoever_calls_the_api_is_linked_with_the_jobs(scene: Scene) -> None:
    theirs, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    job_id = scene.post(scene.job("called"), traceparent=f"00-{theirs}-{span}-01")
    root = scene.spans(job_id, "submit")["submit"]
    assert (root.service, root.parent, root.links) == ("qtasks-api", "", ((theirs, span),))
    assert root.attributes["qtasks.job"] == "called"
    without = scene.post(scene.job("uncalled"), traceparent="nonsense")
    assert scene.spans(without, "submit")["submit"].links == ()


def test_what_is_done_at_the_provider_is_in_the_jobs_trace(scene: Scene) -> None:
    job_id = scene.post(scene.job("afar", backend={"type": "ibm_quantum", "account": ACCOUNT}))
    assert scene.ends(job_id) == "Completed"
    found = scene.spans(job_id, "provider.submit", "provider.poll", "collection", "provider.result", "result.store")
    assert found["provider.submit"].parent == found["execution"].id
    assert found["provider.submit"].attributes["qtasks.account"] == ACCOUNT
    assert found["provider.poll"].parent == found["collection"].parent == traces.root_id(job_id)
    assert found["provider.result"].parent == found["result.store"].parent == found["collection"].id


def test_the_span_of_a_stage_that_ends_a_job_has_the_reason(scene: Scene) -> None:
    job_id = scene.post(scene.job("wrong", code="OPENQASM 2.0; nonsense;"))
    assert scene.ends(job_id) == "Failed"
    span = scene.spans(job_id, "validation")["validation"]
    assert span.attributes["error.type"] == "InvalidCircuit" and span.error.startswith("InvalidCircuit")


def test_without_the_extra_traces_are_refused_with_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'opentelemetry':\n"
        "            raise ModuleNotFoundError(name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
    )
    environment = {**os.environ, "QTASKS_TRACES": "true", "QTASKS_HOME": str(tmp_path), "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "qtasks.cli", "beat"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 2
    told = json.loads(done.stderr)
    assert told["reason"] == "ExtraMissing" and "pip install qtasks[otel]" in told["hint"]


# What the doctor finds


def _found(settings: Settings, **options: Any) -> dict[str, Finding]:
    return {one.part: one for one in examine(settings, **options)}


def test_the_doctor_finds_a_whole_installation_well(scene: Scene) -> None:
    found = _found(scene.stack.settings, accounts=True)
    well = {"database", "schema", "clock: database", "workers", "periodic tasks", "broker", "broker memory"}
    well |= {"broker persistence", "clock: broker", "objects", "account lab", "git"}
    assert {part: found[part].mark for part in well} == dict.fromkeys(well, Mark.OK)
    assert "validation 1" in found["workers"].detail and "polling 1" in found["workers"].detail
    assert "lets us in" in found["account lab"].detail
    assert found["account lost"].mark is Mark.FAIL and found["account lost"].reason == "SecretNotFound"
    assert PASSWORD not in str(found)


def test_the_doctor_names_what_is_set_wrongly_at_the_broker(scene: Scene, guarded: GuardedRedis) -> None:
    with guarded.client() as client:
        client.config_set("maxmemory", "100mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("appendonly", "no")
        try:
            found = _found(scene.stack.settings)
        finally:
            client.config_set("maxmemory", "0")
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("appendonly", "yes")
    assert (found["broker memory"].mark, found["broker memory"].reason) == (Mark.FAIL, "BrokerEvicts")
    assert "noeviction" in found["broker memory"].hint
    assert found["broker persistence"].mark is Mark.WARN
    wrong = scene.stack.settings.model_copy(update={"broker_url": f"redis://:wrong@127.0.0.1:{guarded.port}/0"})
    assert "refuses" in _found(wrong)["broker"].detail


def test_the_doctor_says_what_to_do_about_another_schema(scene: Scene, postgres: Postgres) -> None:
    empty = scene.stack.settings.model_copy(update={"database_url": postgres.database(f"empty-{os.getpid()}")})
    found = _found(empty)
    assert found["database"].mark is Mark.OK and "workers" not in found
    assert found["schema"].mark is Mark.FAIL and "qtasks db upgrade" in found["schema"].hint
    away = empty.model_copy(update={"database_url": f"postgresql+psycopg://u:{PASSWORD}@127.0.0.1:{free_port()}/d"})
    assert _found(away)["database"].reason == "DatabaseUnavailable"
    nonsense = empty.model_copy(update={"database_url": "nonsense"})
    assert _found(nonsense)["database"].mark is Mark.WRONG


def test_the_doctor_tells_of_an_account_whose_key_was_refused(scene: Scene) -> None:
    store = Store(scene.stack.settings.database, pool_size=1)
    try:
        with store.begin() as tx:
            accounts.ensure(tx, "lost", "ibm_quantum")
            accounts.pause(tx, "lost", seconds=60, reason="CredentialsRefused", message="IBM refused the key.")
    finally:
        store.close()
    given = scene.stack.settings
    assert given.secrets_dir is not None
    shutil.copytree(given.secrets_dir / "default" / "ibm", given.secrets_dir / "default" / "gone")
    try:
        found = _found(given)
    finally:
        shutil.rmtree(given.secrets_dir / "default" / "gone")
    assert found["account lost"].mark is Mark.FAIL and "IBM refused the key." in found["account lost"].detail
    assert "--accounts" in found["account lost"].hint


def test_the_doctor_tells_of_work_without_workers_and_of_what_nobody_tidied(
    tmp_path: Path, postgres_url: str, guarded: GuardedRedis
) -> None:
    given = Settings(home=tmp_path, database_url=postgres_url, broker_url=guarded.url.replace("/0", "/5"))
    store = Store(postgres_url, pool_size=1)
    try:
        schema.upgrade(store)
        assert _found(given)["workers"].reason == "NoWorker"
        with Client(given) as client:
            job = client.submit(BELL_QASM, shots=10)
        found = _found(given)
        assert found["workers"].mark is Mark.WARN and "validation (1)" in found["workers"].detail
        assert "qtasks worker --queues validation" in found["workers"].hint
        assert found["periodic tasks"].mark is Mark.OK
        with store.begin() as tx:
            lost = {"owner": "a dead one", "lease_until": datetime.now(UTC) - timedelta(minutes=3)}
            tx.execute(update(jobs).where(jobs.c.id == job.job_id()).values(**lost))
        found = _found(given)
        assert found["periodic tasks"].mark is Mark.FAIL and "qtasks beat" in found["periodic tasks"].hint
    finally:
        store.close()


# Lines of log. The last: the processes are ended for it.


def test_every_line_of_every_process_is_json_and_names_its_job_and_no_secret(scene: Scene) -> None:
    job_id = scene.post(scene.job("told"), **{"X-Request-ID": "asked-by-a-test"})
    scene.ends(job_id)
    upgrade = scene.stack.run("db", "upgrade")
    upgrade.popen.wait(60)
    for process in scene.stack.processes:
        if process.popen.poll() is None:
            process.stop()
    worker, poller, beat, api = scene.stack.processes[:4]
    said = {process.log.stem: _lines(process) for process in (worker, poller, beat, api)}
    for lines in said.values():
        assert lines
        for line in lines:
            assert {"time", "level", "logger", "message", "component", "process"} <= line.keys()
            assert line["time"].endswith("Z") and line["level"] in ("debug", "info", "warning", "error", "critical")
    assert {line["component"] for line in said[beat.log.stem]} == {"beat"}
    ours = [line for line in said[worker.log.stem] if line.get("job_id") == job_id and "took" in line["message"]]
    assert [line["stage"] for line in ours] == ["validation", "scheduling", "execution"]
    for line in ours:
        assert (line["job"], line["attempt"], line["namespace"]) == ("told", 1, "default")
        assert line["worker"].startswith("worker-") and line["trace_id"] == traces.trace_id(job_id)
    (asked,) = [line for line in said[api.log.stem] if line.get("request_id") == "asked-by-a-test"]
    assert (asked["method"], asked["path"], asked["status"]) == ("POST", "/v1/jobs", 201)
    everything = "".join(process.text for process in scene.stack.processes)
    assert PASSWORD not in everything and "hunter2" not in everything
