"""The page in headless Chromium: log in, submit, watch it finish, see the histogram, cancel; by keyboard, and without
JavaScript."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from qtasks.lifecycle import Phase
from tests.page.conftest import Site
from tests.page.looking import problems
from tests.support.circuits import bell

pytestmark = [pytest.mark.system, pytest.mark.needs_packages]

BROWSER = "/usr/bin/chromium"
SLOW_MS = 60_000


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=BROWSER, args=root)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any, site: Site) -> Iterator[Callable[..., Any]]:
    """Open a page of a fresh browser; with a name, logged in. Whatever its console complains of fails the test."""
    contexts, complaints = [], list[str]()

    def opened(name: str | None = None, path: str = "/", **options: Any) -> Any:
        context = chromium.new_context(base_url=site.url, viewport={"width": 1280, "height": 800}, **options)
        context.set_default_timeout(SLOW_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path)
        if name is not None:
            page.get_by_label("Token").fill(site.tokens[name])
            page.get_by_role("button", name="Log in").click()
            page.wait_for_url(f"**{path}")
        return page

    yield opened
    for context in contexts:
        context.close()
    # Chromium calls a form that came back with its errors a failed load.
    assert [line for line in complaints if "status of 422" not in line] == []


def _counts(page: Any) -> dict[str, int]:
    rows = page.locator(".histogram tbody tr").all()
    return {
        row.locator("th").inner_text(): int(row.locator(".number").first.inner_text().replace(",", "")) for row in rows
    }


def test_a_job_is_submitted_watched_and_its_histogram_seen(site: Site, visit: Callable[..., Any]) -> None:
    page = visit("alice", "/submit")
    page.get_by_label("Name", exact=True).fill("in-chromium")
    page.get_by_label("Shots").fill("400")
    page.get_by_label("Simulator seed").fill("7")
    loads: list[str] = []
    page.get_by_role("button", name="Submit", exact=True).click()
    page.wait_for_url("**/jobs/*")
    page.on("framenavigated", lambda frame: loads.append(frame.url))
    page.locator("#phase", has_text="Completed").wait_for()
    page.locator(".histogram").wait_for()
    assert sum(_counts(page).values()) == 400
    with site.client("alice") as client:
        assert _counts(page) == client.job("in-chromium").result(10).get_counts()
    assert loads == [], "it was watched without loading the page again"
    assert page.get_by_role("img", name=re.compile("Circuit of 2 qubits")).is_visible()
    assert problems(page) == []


def test_a_page_that_is_open_tells_when_its_job_ends(site: Site, visit: Callable[..., Any]) -> None:
    with site.client("alice") as client:
        job = client.submit(bell(), name="to-cancel-in-chromium", backend={"type": "ibm_quantum"})
    watching = visit("vera", f"/jobs/{job.job_id()}")
    watching.locator("#main").evaluate("main => main.dataset.kept = 'yes'")
    page = visit("alice", f"/jobs/{job.job_id()}")
    page.get_by_role("button", name="Cancel job").click()
    page.locator("#phase", has_text="Cancelled").wait_for()
    watching.locator("#phase", has_text="Cancelled").wait_for()
    assert watching.locator("#said").inner_text() == "Job to-cancel-in-chromium is Cancelled."
    assert watching.locator("#main").get_attribute("data-kept") == "yes"
    assert watching.get_by_role("button", name="Cancel job").count() == 0
    with site.client("alice") as client:
        assert client.job(job.job_id()).status() is Phase.CANCELLED


def test_a_refresh_leaves_focus_and_what_is_folded_out(site: Site, visit: Callable[..., Any]) -> None:
    with site.client("alice") as client:
        job = client.submit(bell(), name="kept-open", backend={"type": "ibm_quantum"})
    page = visit("alice", f"/jobs/{job.job_id()}")
    page.locator("#code summary").click()
    page.locator("#code summary").focus()
    with page.expect_response(
        lambda answer: answer.url.endswith(job.job_id()) and answer.request.resource_type == "fetch"
    ):
        pass
    with page.expect_response(
        lambda answer: answer.url.endswith(job.job_id()) and answer.request.resource_type == "fetch"
    ):
        pass
    assert page.locator("#code").get_attribute("open") is not None
    assert page.evaluate("document.activeElement.closest('details')?.id") == "code"
    page.get_by_role("button", name="Pause updates").click()
    assert page.get_by_role("button", name="Pause updates").get_attribute("aria-pressed") == "true"


def test_new_jobs_come_into_the_list_by_themselves(site: Site, visit: Callable[..., Any]) -> None:
    page = visit("alice", "/?text=appears")
    assert page.get_by_text("No job fits").is_visible()
    with site.client("alice") as client:
        client.submit(bell(), name="appears")
    page.get_by_role("link", name="appears").wait_for()
    assert page.get_by_label("Text").input_value() == "appears"


def test_everything_can_be_done_by_keyboard(site: Site, visit: Callable[..., Any]) -> None:
    page = visit(None, "/submit")
    keys = page.keyboard
    keys.type(site.tokens["alice"])
    keys.press("Enter")
    page.wait_for_url("**/submit")
    keys.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["y"] >= 0, "it is seen while it has the focus"
    keys.press("Enter")
    seen = []
    for _ in range(30):
        keys.press("Tab")
        name = page.evaluate("document.activeElement.name || document.activeElement.textContent")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", f"{name} has the focus, and nobody can see it"
        seen.append(name)
        if name == "name":
            keys.type("by-keyboard")
        if name == "Submit":
            break
    assert seen[0] == "code" and seen[-1] == "Submit"
    keys.press("Enter")
    page.wait_for_url("**/jobs/*")
    assert page.get_by_role("heading", level=1).inner_text() == "by-keyboard"
    page.locator(".histogram").wait_for()


def test_errors_are_told_at_the_top_and_at_the_field(visit: Callable[..., Any]) -> None:
    page = visit("alice", "/submit")
    page.get_by_label("Shots").fill("-5")
    with page.expect_response("**/submit") as answer:
        page.get_by_role("button", name="Submit", exact=True).click()
    assert answer.value.status == 422
    page.locator("#error-shots").wait_for()
    page.wait_for_function("document.activeElement.id === 'problem'")
    assert page.get_by_label("Shots").get_attribute("aria-invalid") == "true"
    assert "error-shots" in page.get_by_label("Shots").get_attribute("aria-describedby")
    assert problems(page) == []


def test_it_works_without_javascript(visit: Callable[..., Any]) -> None:
    page = visit("alice", "/submit", java_script_enabled=False)
    page.get_by_label("Name", exact=True).fill("without-script")
    page.get_by_role("button", name="Submit", exact=True).click()
    page.wait_for_url("**/jobs/*")
    assert page.get_by_role("button", name="Pause updates").count() == 0
    for _ in range(200):
        if page.locator(".histogram").count():
            break
        page.get_by_role("link", name="load it again").click()
    assert sum(_counts(page).values()) == 1024
    page.get_by_role("link", name="Jobs", exact=True).first.click()
    page.get_by_label("Text").fill("without-script")
    page.get_by_role("button", name="Filter").click()
    assert page.get_by_role("link", name="without-script").is_visible()
    page.get_by_role("button", name="Log out").click()
    assert page.get_by_text("You are logged out.").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1600])
def test_pages_are_for_everybody(site: Site, visit: Callable[..., Any], scheme: str, width: int) -> None:
    with site.client("alice") as client:
        client.submit("qc = broken", name="wrong-source", labels={"team": "alpha"}) if not _there(client) else None
        job = client.job("wrong-source")
        job.wait_for_final_state(60)
    page = visit("alice", "/", color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    for path in ("/", "/queues", "/budgets", "/accounts", "/submit", f"/jobs/{job.job_id()}"):
        page.goto(path)
        assert (path, problems(page)) == (path, [])
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login*")
    assert problems(page) == []


def _there(client: Any) -> bool:
    return any(job.name == "wrong-source" for job in client.jobs())
