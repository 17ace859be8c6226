"""Flower in headless Chromium: logged in through the proxy, its tables filled by its own scripts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qtasks.lifecycle import Queue
from qtasks.queue import Hint, Publisher
from tests.support.circuits import BELL_QASM
from tests.watching.conftest import USER, Monitor

pytestmark = [pytest.mark.system, pytest.mark.needs_packages]

BROWSER = "/usr/bin/chromium"
SLOW_MS = 60_000


@pytest.fixture(scope="module")
def page(monitor: Monitor) -> Iterator[Any]:
    """A page of a browser that knows the password. Whatever its console complains of fails the tests."""
    from playwright.sync_api import sync_playwright

    complaints: list[str] = []
    with sync_playwright() as playwright:
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=BROWSER, args=root)
        credentials = {"username": USER[0], "password": USER[1]}
        context = browser.new_context(http_credentials=credentials, viewport={"width": 1280, "height": 860})
        context.set_default_timeout(SLOW_MS)
        page = context.new_page()
        page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        context.close()
        browser.close()
    assert complaints == []


def _pictured(page: Any, name: str) -> None:
    """Keep a picture where a person asked for some: FLOWER_PICTURES names the folder."""
    if folder := os.environ.get("FLOWER_PICTURES"):
        page.screenshot(path=Path(folder) / f"flower-{name}.png")


def test_the_tasks_of_a_job_are_read_by_name_stage_and_priority(monitor: Monitor, page: Any) -> None:
    circuit = monitor.stack.folder / "bell.qasm"
    circuit.write_text(BELL_QASM)
    for name, priority in (("bell-pair", "normal"), ("calibration-run", "urgent"), ("nightly-sweep", "low")):
        document = monitor.stack.folder / f"{name}.yaml"
        code = "".join(f"      {line}\n" for line in BELL_QASM.splitlines())
        document.write_text(
            f"apiVersion: quantum.io/v1\nkind: QiskitJob\nmetadata: {{name: {name}}}\nspec:\n"
            f"  backend: {{type: local_simulator}}\n  execution: {{shots: 10, priority: {priority}}}\n"
            f"  circuit:\n    source: inline\n    code: |\n{code}"
        )
        applied = monitor.stack.run("apply", "-f", str(document))
        assert applied.popen.wait(60) == 0, applied.text
    page.goto(f"{monitor.url}/tasks")
    for text in (
        "(bell-pair, validation, normal)",
        "(calibration-run, execution, urgent)",
        "(nightly-sweep, scheduling, low)",
    ):
        page.get_by_text(text).first.wait_for()
    _pictured(page, "tasks")


def test_the_levels_of_the_queues_are_read_on_the_broker_page(monitor: Monitor, page: Any) -> None:
    publisher = Publisher(monitor.stack.settings.broker)
    try:
        publisher.publish(Hint(Queue.POLLING, "", "waiting", 9), Hint(Queue.POLLING, "", "waiting", 9))
    finally:
        publisher.close()
    page.goto(f"{monitor.url}/broker")
    row = page.get_by_role("row", name="polling")
    row.wait_for()
    assert row.get_by_role("cell").nth(4).inner_text() == "2"
    assert page.get_by_role("row", name="execution.huge").is_visible()
    _pictured(page, "broker")


def test_the_workers_are_there_below_the_path(monitor: Monitor, page: Any) -> None:
    page.goto(f"{monitor.url}/")
    page.get_by_text("worker-").first.wait_for()
    _pictured(page, "workers")
    page.get_by_role("link", name="Tasks").click()
    page.wait_for_url("**/flower/tasks")
