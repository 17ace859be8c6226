"""Flower as `qtasks flower` runs it: behind a path of a proxy, with passwords, with the levels of the queues."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qtasks.lifecycle import Queue
from qtasks.queue import Hint, Publisher
from tests.support.circuits import BELL_QASM
from tests.support.servers import eventually, free_port
from tests.watching.conftest import PASSWORD, USER, Monitor

pytestmark = pytest.mark.system


def _rows(page: str) -> dict[str, list[str]]:
    """The rows of the broker page by their first cell, without marks."""
    found = {}
    for row in re.findall(r"<tr id=.*?</tr>", page, re.DOTALL):
        name, *cells = (re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<td.*?</td>", row, re.DOTALL))
        found[name] = cells
    return found


def test_nobody_comes_in_without_a_password_but_probes_do(monitor: Monitor) -> None:
    for path in ("/", "/tasks", "/broker", "/api/tasks", "/api/workers"):
        assert monitor.get(path, None).status_code == 401, path
        assert monitor.get(path, (USER[0], "wrong")).status_code == 401, path
        assert monitor.get(path).status_code == 200, path
    # Flower leaves these open; docs/flower.md says so.
    assert monitor.get("/healthcheck", None).text == "OK"
    assert "flower_worker_online" in monitor.get("/metrics", None).text


def test_behind_a_path_every_link_and_file_of_a_page_is_below_it(monitor: Monitor) -> None:
    for path in ("/", "/tasks", "/broker"):
        page = monitor.get(path).text
        links = [link for link in re.findall(r'(?:src|href)="([^"]+)"', page) if link.startswith("/")]
        assert len(links) > 8 and all(link.startswith("/flower/") for link in links)
        for link in set(links):
            assert monitor.get(link.removeprefix("/flower")).status_code == 200, link
    assert monitor.client.get(f"{monitor.upstream}/broker", auth=USER).status_code == 404


def test_the_broker_page_has_the_levels_of_every_queue_also_of_one_that_nobody_serves(monitor: Monitor) -> None:
    publisher = Publisher(monitor.stack.settings.broker)
    try:
        publisher.publish(*(Hint(Queue.POLLING, "", f"w-{n}", 9) for n in range(3)), Hint(Queue.POLLING, "", "u", 0))
    finally:
        publisher.close()
    page = monitor.get("/broker").text
    rows = _rows(page)
    assert list(rows) == [queue.value for queue in Queue]
    assert re.findall(r"<th>(.*?)</th>", page) == ["Queue", "Urgent", "High", "Normal", "Low", "Workers"]
    assert rows["polling"] == ["1", "0", "0", "3", "0"]
    assert rows["execution"][-1] == "1"
    assert PASSWORD not in page and "hunter2" not in page


def test_tasks_are_shown_by_job_stage_and_priority_also_those_carried_on_in_place(monitor: Monitor) -> None:
    path = monitor.stack.folder / "bell.yaml"
    path.write_text(
        "apiVersion: quantum.io/v1\nkind: QiskitJob\nmetadata: {name: readable}\nspec:\n"
        "  backend: {type: local_simulator}\n  execution: {shots: 10, priority: high}\n  circuit:\n    source: inline\n"
        "    code: |\n" + "".join(f"      {line}\n" for line in BELL_QASM.splitlines())
    )
    applied = monitor.stack.run("apply", "-f", str(path))
    assert applied.popen.wait(60) == 0, applied.text

    def shown() -> dict[str, Any] | None:
        tasks = monitor.get("/api/tasks").json().values()
        found = {task["name"]: task for task in tasks if "readable" in (task["args"] or "")}
        ended = {name for name, task in found.items() if task["state"] == "SUCCESS"}
        return found if ended >= {"qtasks.validation", "qtasks.scheduling", "qtasks.execution"} else None

    found = eventually(shown, what="the stages of the job in Flower")
    for stage in ("validation", "scheduling", "execution"):
        assert found[f"qtasks.{stage}"]["args"] == f"(readable, {stage}, high)"
        assert found[f"qtasks.{stage}"]["worker"].startswith("worker-")


def test_no_password_is_in_the_command_line_or_the_environment(monitor: Monitor) -> None:
    process = Path(f"/proc/{monitor.process.popen.pid}")
    assert b"flower" in (process / "cmdline").read_bytes()
    for secret in (USER[1].encode(), PASSWORD.encode()):
        assert secret not in (process / "cmdline").read_bytes()
    assert USER[1].encode() not in (process / "environ").read_bytes()
    assert USER[1] not in monitor.process.text


def test_beyond_loopback_it_wants_passwords(monitor: Monitor) -> None:
    command = [sys.executable, "-m", "qtasks.cli", "flower", "--address", "0.0.0.0", "--port", str(free_port())]
    environment = monitor.stack.settings.model_copy(update={"flower_auth_file": None}).environment()
    environment["QTASKS_LOG_FORMAT"] = "text"
    done = subprocess.run(command, capture_output=True, text=True, env={**environment, "PATH": ""}, timeout=60)
    assert done.returncode == 2 and "[FlowerUnprotected]" in done.stderr and "--insecure" in done.stderr
