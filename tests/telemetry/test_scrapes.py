"""A worker, an API and beat that are scraped: the figures agree with what was done, whatever was killed meanwhile.

The tests share one stack, and go from what is usual to what breaks.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from qtasks.settings import Settings
from tests.support.circuits import BELL_QASM
from tests.support.servers import Postgres, Redis, eventually, free_port
from tests.support.stack import Process, Stack
from tests.telemetry.conftest import probe, scrape

pytestmark = pytest.mark.system

TOKEN = "metrics-token"
_PYTHON = "from qiskit import QuantumCircuit\ncircuit = QuantumCircuit(1, 1)\ncircuit.measure(0, 0)\n"


@dataclass
class Scene:
    """A worker of two processes and an API of two, over servers of their own."""

    stack: Stack
    worker: Process
    port: int
    api: int
    broker: Redis

    def counted(self, name: str, *labels: str) -> float:
        return scrape(self.port, headers=AUTHORIZED).get((name, *labels), 0.0)


AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("scrapes")
    broker = Redis(folder / "redis")
    broker.start()
    settings = Settings(
        home=folder / "home",
        database_url=postgres.database(f"scrapes{os.getpid()}"),
        broker_url=broker.url,
        probe_seconds=2.5,
        heartbeat_seconds=1,
        lease_seconds=5,
        stop_seconds=1,
    )
    stack = Stack(settings, folder)
    stack.migrate()
    port, api = free_port(), free_port()
    given = {"QTASKS_METRICS_TOKEN": TOKEN}
    stack.run("api", "--port", str(api), QTASKS_API_WORKERS="2", **given)
    worker = stack.worker(concurrency=2, QTASKS_METRICS_PORT=str(port), **given)
    try:
        eventually(lambda: probe(api, "/readyz")[0] == 200, seconds=60, what="the API being ready")
        yield Scene(stack, worker, port, api, broker)
    finally:
        stack.close()
        broker.stop()


def _endless(namespace: str, *, seconds: int) -> dict[str, object]:
    """A job whose source does not end by itself."""
    return {
        "apiVersion": "quantum.io/v1",
        "kind": "QiskitJob",
        "metadata": {"name": "endless", "namespace": namespace},
        "spec": {
            "backend": {"type": "local_simulator"},
            "circuit": {"source": "inline", "format": "python", "code": "while True:\n    pass\n"},
            "timeouts": {"validation": f"{seconds}s"},
        },
    }


def _children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def _command(process: int) -> str:
    return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def _main(scene: Scene) -> int:
    return scene.worker.popen.pid


def _keeper(scene: Scene) -> int:
    return next(child for child in _children(_main(scene)) if "qtasks.stages.keeper" in _command(child))


def _pool(scene: Scene) -> list[int]:
    """The processes that were forked: they have the main one's command."""
    return [child for child in _children(_main(scene)) if _command(child) == _command(_main(scene))]


def test_metrics_of_worker_and_api_want_their_token(scene: Scene) -> None:
    for port in (scene.port, scene.api):
        assert httpx.get(f"http://127.0.0.1:{port}/metrics").status_code == 401


def test_a_worker_that_is_well_says_so(scene: Scene) -> None:
    assert probe(scene.port, "/healthz")[0] == 200
    status, checks = probe(scene.port, "/readyz")
    assert (status, set(checks)) == (200, {"database", "broker", "pool", "sandbox"})


def test_a_broker_that_is_away_makes_a_worker_unready_and_not_dead(scene: Scene) -> None:
    port = scene.broker.port
    scene.broker.stop()
    try:
        away = time.monotonic()
        eventually(lambda: probe(scene.port, "/readyz")[1].get("broker", "ok") != "ok", what="/readyz telling of it")
        # Longer than a worker may stand still.
        eventually(lambda: time.monotonic() > away + 3.5 or _failing(scene), what="the time running out")
        assert probe(scene.port, "/healthz")[0] == 200
    finally:
        scene.broker.start()
    assert scene.broker.port == port
    eventually(lambda: probe(scene.port, "/readyz")[0] == 200, what="being ready again")


def test_figures_agree_with_what_was_done(scene: Scene) -> None:
    client = scene.stack.client("figures")
    jobs = [client.submit(BELL_QASM, shots=10, priority="high") for _ in range(3)]
    jobs += [client.submit(_PYTHON, shots=10) for _ in range(2)]
    refused = client.submit(_endless("figures", seconds=1))
    for job in jobs:
        job.result(timeout=30)
    eventually(lambda: refused.status() == "Failed", what="the source that never ends failing")

    eventually(lambda: scene.counted("qtasks_stage_jobs_total", "execution") == 5, what="five jobs being counted")
    assert scene.counted("qtasks_stage_jobs_total", "scheduling") == 5
    assert scene.counted("qtasks_stage_jobs_total", "validation") == 6
    assert scene.counted("qtasks_wait_seconds_count", "high") == 3
    assert scene.counted("qtasks_failures_total", "ValidationTimeout") == 1
    assert scene.counted("qtasks_sandbox_starts_total") >= 4
    kills = [scene.counted("qtasks_sandbox_kills_total", layer) for layer in ("cpu", "deadline")]
    assert sum(kills) == 1
    assert scene.counted("qtasks_pool_processes", "alive") == scene.counted("qtasks_pool_processes", "wanted") == 2

    shown = eventually(lambda: _with_jobs(scene), seconds=20, what="the API telling of these jobs")
    assert shown["qtasks_jobs", "local_simulator", "figures", "Completed", "high"] == 3
    assert shown["qtasks_jobs", "local_simulator", "figures", "Completed", "normal"] == 2
    assert shown["qtasks_database_up",] == 1
    assert shown["qtasks_workers", "execution"] == shown["qtasks_workers", "validation"] == 1
    assert shown["qtasks_workers", "polling"] == 0
    assert not {value for key in shown for value in key} & {job.name for job in [*jobs, refused]}


def _with_jobs(scene: Scene) -> dict[tuple[str, ...], float] | None:
    """Figures are good for ten seconds; those that know of the last job."""
    shown = scrape(scene.api, headers=AUTHORIZED)
    failed = [key for key in shown if key[0] == "qtasks_jobs" and "figures" in key and "Failed" in key]
    return shown if failed else None


def test_requests_count_wherever_they_were_answered(scene: Scene) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{scene.api}") as client:
        for _ in range(12):
            client.get("/v1/jobs", headers={"Connection": "close"})
        assert client.post("/v1/jobs", json={"spec": {}}).status_code == 422
        client.get("/v1/jobs/none-such")
        client.get("/nothing/at/all")
    shown = scrape(scene.api, headers=AUTHORIZED)
    assert shown["qtasks_api_requests_total", "GET", "/v1/jobs", "200"] == 12
    assert shown["qtasks_api_request_seconds_count", "GET", "/v1/jobs"] == 12
    assert shown["qtasks_api_requests_total", "GET", "/v1/jobs/{id}", "404"] == 1
    assert shown["qtasks_api_requests_total", "GET", "none", "404"] == 1
    assert shown["qtasks_rejections_total", "InvalidResource"] == 1


def test_a_process_that_is_killed_takes_no_figure_along(scene: Scene) -> None:
    before = scene.counted("qtasks_stage_jobs_total", "execution")
    killed = _pool(scene)
    for process in killed:
        os.kill(process, signal.SIGKILL)
    eventually(lambda: len(set(_pool(scene)) - set(killed)) == 2, what="the pool being whole again")
    assert scene.counted("qtasks_stage_jobs_total", "execution") == before
    scene.stack.client("killed").submit(BELL_QASM, shots=10).result(timeout=30)
    eventually(lambda: scene.counted("qtasks_stage_jobs_total", "execution") == before + 1, what="one more")
    eventually(lambda: probe(scene.port, "/healthz")[0] == 200, what="another process in the pool")


def test_a_job_whose_process_dies_counts_as_lost_and_taken_over(scene: Scene) -> None:
    client = scene.stack.client("lost")
    job = client.submit(_endless("lost", seconds=5))
    eventually(lambda: scene.counted("qtasks_held_jobs") == 1, what="the job being held")
    owner = eventually(lambda: _owner(scene, job.job_id()), what="the job having an owner")
    os.kill(owner, signal.SIGKILL)
    eventually(lambda: scene.counted("qtasks_leases_lost_total", "died") == 1, what="the lost lease being counted")
    eventually(lambda: scene.counted("qtasks_takeovers_total", "validation") == 1, what="the takeover being counted")
    job.cancel()


def _owner(scene: Scene, job_id: str) -> int | None:
    from sqlalchemy import select

    from qtasks.store import Store
    from qtasks.store.tables import jobs

    store = Store(scene.stack.settings.database, pool_size=1)
    try:
        with store.read() as tx:
            owner = tx.execute(select(jobs.c.owner).where(jobs.c.id == job_id)).scalar()
        return int(owner.rpartition("/")[2]) if owner else None
    finally:
        store.close()


def test_a_keeper_that_dies_is_started_again_and_the_worker_stays_well(scene: Scene) -> None:
    before, counted = _keeper(scene), scene.counted("qtasks_stage_jobs_total", "execution")
    os.kill(before, signal.SIGKILL)
    eventually(lambda: _other_keeper(scene, before), what="another keeper")
    eventually(lambda: probe(scene.port, "/healthz")[0] == 200, what="the other keeper answering")
    assert scene.counted("qtasks_stage_jobs_total", "execution") == counted
    scene.stack.client("kept").submit(BELL_QASM, shots=10).result(timeout=30)


def _other_keeper(scene: Scene, before: int) -> bool:
    try:
        return _keeper(scene) != before
    except (StopIteration, FileNotFoundError):
        return False


def test_a_main_process_that_stands_still_is_not_alive(scene: Scene) -> None:
    os.kill(_main(scene), signal.SIGSTOP)
    try:
        checks = eventually(lambda: _standing(scene), seconds=20, what="/healthz telling of it")
    finally:
        os.kill(_main(scene), signal.SIGCONT)
    assert checks["main"].startswith("its event loop has not turned for")
    eventually(lambda: probe(scene.port, "/healthz")[0] == 200, what="being well again")


def _standing(scene: Scene) -> dict[str, str] | None:
    """What /healthz says once the main process is what fails; a pool that is just made whole may fail before."""
    failing = _failing(scene)
    return failing[1] if failing is not None and failing[1]["main"] != "ok" else None


def _failing(scene: Scene) -> tuple[int, dict[str, str]] | None:
    status, checks = probe(scene.port, "/healthz")
    return (status, checks) if status == 503 else None
