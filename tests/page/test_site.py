"""The page without a browser: the same flow by plain requests, and who may do what."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.page.conftest import Site
from tests.page.forms import Browser
from tests.support.circuits import BELL_SOURCE, bell
from tests.support.servers import eventually

pytestmark = pytest.mark.system

BELL = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n'


@pytest.fixture
def stranger(site: Site) -> Iterator[Browser]:
    browser = Browser(site.url)
    yield browser
    browser.http.close()


@pytest.fixture
def alice(site: Site) -> Iterator[Browser]:
    browser = Browser(site.url)
    assert browser.log_in(site.tokens["alice"]).headers["location"] == "/"
    yield browser
    browser.http.close()


def test_a_path_that_is_not_there_is_a_page_for_a_browser_and_a_problem_for_a_program(alice: Browser) -> None:
    shown = alice.get("/nowhere", headers={"Accept": "text/html,*/*"})
    assert (shown.status_code, shown.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "NoSuchRoute" in shown.text
    assert alice.get("/nowhere").json()["reason"] == "NoSuchRoute"


def test_a_job_goes_from_the_form_to_its_result(site: Site, stranger: Browser) -> None:
    asked = stranger.get("/submit")
    assert (asked.status_code, asked.headers["location"]) == (303, "/login?next=%2Fsubmit")
    answer = stranger.log_in(site.tokens["alice"], "/submit")
    assert (answer.status_code, answer.headers["location"]) == (303, "/submit")
    form = stranger.get("/submit")
    assert stranger.form(form, "/submit")["namespace"] == "lab", "the only one in which alice may submit"

    wrong = stranger.send(form, "/submit", code=BELL, shots="0", name="Bad Name")
    assert wrong.status_code == 422
    assert 'id="error-shots"' in wrong.text and 'id="error-name"' in wrong.text
    kept = stranger.form(wrong, "/submit")
    assert (kept["code"], kept["shots"], kept["name"]) == (BELL, "0", "Bad Name")

    sent = stranger.send(
        wrong, "/submit", shots="500", name="from-a-form", seed="42", labels="via=page", priority="high"
    )
    assert sent.status_code == 303
    where = sent.headers["location"]
    page = eventually(lambda: (p := stranger.get(where)).text.count("is-completed") and p, seconds=60, what="the end")
    rows = re.findall(r'title="([01]+)">\1</th>.*?class="number">(\d+)<', page.text, re.DOTALL)
    with site.client("alice") as client:
        stored = client.job("from-a-form").result(10).get_counts()
    assert {key: int(count) for key, count in rows} == stored
    assert set(stored) == {"00", "11"} and sum(stored.values()) == 500
    assert 'data-refresh="' not in page.text.split("<main", 1)[1].split(">", 1)[0], "a final job is not asked for again"
    assert "H on q[0]" in page.text and "measure q[1] into c[1]" in page.text
    for heading in ("Timeline", "Conditions", "Cost", "Provenance", "Events"):
        assert f">{heading}</h2>" in page.text
    for written, kind in (("json", "json"), ("csv", "csv"), ("qpy", "x-qpy"), ("pickle", "x-pickle")):
        file = stranger.get(f"{where}/result.{written}")
        assert file.status_code == 200 and kind in file.headers["content-type"]
        assert f'filename="from-a-form.{written}"' in file.headers["content-disposition"]
    assert stranger.get(f"{where}/result.json").json()["counts"] == stored
    assert stranger.get(f"{where}/result.docx").status_code == 406

    listed = stranger.get("/", params={"text": "VIA=page", "phase": "Completed", "priority": "high"})
    assert "from-a-form" in listed.text
    assert "from-a-form" not in stranger.get("/", params={"labels": "via!=page"}).text
    named = stranger.get("/jobs/from-a-form", params={"namespace": "lab"})
    assert named.headers["location"] == where

    out = stranger.send(page, "/logout")
    assert out.headers["location"].startswith("/login")
    assert stranger.get("/").headers["location"].startswith("/login")


def test_the_token_is_in_a_cookie_that_neither_scripts_nor_other_sites_get(site: Site, stranger: Browser) -> None:
    answer = stranger.log_in(site.tokens["vera"])
    (cookie,) = [one for one in answer.headers.get_list("set-cookie") if one.startswith("qtasks-token=")]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Path=/" in cookie
    assert site.tokens["vera"] not in stranger.get("/").text


@pytest.mark.parametrize("token", ["", "qtk_nothing", "someone-elses-secret", "qtk_" + "a" * 43])
def test_what_is_no_token_is_refused_at_its_field(site: Site, stranger: Browser, token: str) -> None:
    answer = stranger.log_in(token)
    assert answer.status_code == 401
    assert 'id="error-token"' in answer.text
    assert not token or token not in answer.text
    assert "qtasks-token" not in stranger.http.cookies


def test_after_logging_in_nobody_is_sent_to_another_site(site: Site, stranger: Browser) -> None:
    page = stranger.get("/login", params={"next": "//evil.example/"})
    for where in ("//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"):
        answer = stranger.send(page, "/login", token=site.tokens["vera"], next=where)
        assert answer.headers["location"] == "/"
        page = stranger.get("/")
        stranger.send(page, "/logout")
        page = stranger.get("/login")


def test_a_form_sent_twice_makes_one_job(site: Site, alice: Browser) -> None:
    form = alice.get("/submit")
    first, again = (alice.send(form, "/submit", code=BELL) for _ in range(2))
    changed = alice.send(form, "/submit", code=BELL, shots="77")
    assert first.headers["location"] == again.headers["location"] != changed.headers["location"]


def test_a_file_is_submitted_as_it_is(site: Site, alice: Browser) -> None:
    fields = alice.form(alice.get("/submit"), "/submit") | {"code": "", "name": "from-a-file"}
    files = {"file": ("bell.py", BELL_SOURCE.encode(), "text/x-python")}
    sent = alice.http.post("/submit", data=fields, files=files)
    assert sent.status_code == 303, sent.text
    page = alice.get(sent.headers["location"])
    assert "QuantumCircuit(2, 2)" in page.text


def test_a_name_that_is_taken_is_said_at_the_name(site: Site, alice: Browser) -> None:
    form = alice.get("/submit")
    alice.send(form, "/submit", code=BELL, name="taken")
    answer = alice.send(form, "/submit", code=BELL, name="taken", shots="9")
    assert answer.status_code == 409
    assert 'id="error-name"' in answer.text


def test_a_form_of_another_site_does_nothing(site: Site, alice: Browser) -> None:
    fields = alice.form(alice.get("/submit"), "/submit") | {"code": BELL, "name": "forged"}
    for change, headers in (
        ({"form_secret": "x" * 43}, {}),
        ({"form_secret": ""}, {}),
        ({}, {"Sec-Fetch-Site": "cross-site"}),
        ({}, {"Sec-Fetch-Site": "same-site"}),
    ):
        answer = alice.http.post("/submit", data=fields | change, headers=headers)
        assert answer.status_code == 403
        assert "FormExpired" in answer.text
    assert "forged" not in alice.get("/").text


def test_a_viewer_looks_and_cannot_touch(site: Site, stranger: Browser) -> None:
    with site.client("alice") as client:
        job = client.submit(bell(), name="to-look-at", backend={"type": "ibm_quantum"})
    stranger.log_in(site.tokens["vera"])
    where = f"/jobs/{job.job_id()}"
    page = stranger.get(where)
    assert "to-look-at" in page.text
    refused = stranger.send(page, f"{where}/cancel")
    assert refused.status_code == 403
    assert "Forbidden" in refused.text and "vera may not cancel jobs" in refused.text
    answer = stranger.send(stranger.get("/submit"), "/submit", code=BELL, namespace="lab")
    assert answer.status_code == 403
    assert 'id="error-namespace"' in answer.text


def test_who_has_no_role_there_is_told_nothing(site: Site, stranger: Browser) -> None:
    with site.client("alice") as client:
        job = client.submit(bell(), name="secret-of-lab")
    stranger.log_in(site.tokens["bob"])
    for path in (f"/jobs/{job.job_id()}", f"/jobs/{job.job_id()}/result.json", "/jobs/secret-of-lab?namespace=lab"):
        answer = stranger.get(path)
        assert (answer.status_code, "JobNotFound" in answer.text) == (404, True)
    assert "secret-of-lab" not in stranger.get("/").text
    assert stranger.get("/", params={"namespace": "lab"}).status_code == 403
    assert "lab-open" not in stranger.get("/accounts").text
    assert "Jobs of physics" in stranger.get("/queues").text


def test_a_job_is_cancelled_once(site: Site, alice: Browser) -> None:
    sent = alice.send(alice.get("/submit"), "/submit", code=BELL, backend="ibm_quantum", name="to-cancel")
    where = sent.headers["location"]
    page = alice.get(where)
    assert alice.send(page, f"{where}/cancel").headers["location"] == where
    assert "is-cancelled" in alice.get(where).text
    late = alice.http.post(f"{where}/cancel", data=alice.form(page, f"{where}/cancel"))
    assert "nothing to cancel" in alice.get(late.headers["location"]).text


def test_queues_count_what_waits_by_stage_and_priority(site: Site, alice: Browser) -> None:
    with site.client("alice") as client:
        for _ in range(3):
            client.submit(bell(), priority="low", backend={"type": "ibm_quantum"})

    def low_ones() -> bool:
        page = alice.get("/queues").text
        lines = re.findall(r'<th scope="row">low</th>.*?</tr>', page, re.DOTALL)
        counted = [sum(map(int, re.findall(r'class="number">(\d+)<', line))) for line in lines]
        return sum(counted) >= 3

    eventually(low_ones, what="three low jobs in the queues")


def test_budgets_and_accounts_have_bars(site: Site, alice: Browser) -> None:
    from qtasks.resources import QiskitBudget

    with site.client("root") as root:
        budget = QiskitBudget(metadata={"name": "team"}, spec={"limit": "$10", "period": "daily"})
        root.apply_budget(budget, namespace="lab")
    page = alice.get("/budgets").text
    assert "0% of $10.00" in page and 'class="bar-spent"' in page
    accounts = alice.get("/accounts").text
    assert "lab-open" in accounts and "10m left of 10m in 28 days" in accounts


def test_every_page_has_the_policy_and_a_wrong_filter_its_reason(site: Site, alice: Browser) -> None:
    for path in ("/", "/queues", "/budgets", "/accounts", "/submit", "/jobs/nothing", "/login", "/?phase=Gone"):
        answer = alice.get(path)
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert "'unsafe" not in answer.headers["content-security-policy"]
    wrong = alice.get("/", params={"labels": "a=b=c"})
    assert (wrong.status_code, "InvalidSelector" in wrong.text) == (422, True)
    style = alice.get(re.findall(r'href="(/page/page.css[^"]*)"', alice.get("/").text)[0])
    assert (style.status_code, style.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert alice.get("/page/base.html").status_code == 404


def test_the_list_goes_on_from_page_to_page(site: Site, alice: Browser) -> None:
    with site.client("alice") as client:
        client.submit_many([bell()] * 120, labels={"page": "long"})
    seen: list[str] = []
    path = "/?labels=page%3Dlong"
    started = time.monotonic()
    while path:
        assert time.monotonic() - started < 60
        text = alice.get(path).text
        seen += re.findall(r'id="row-([0-9a-f-]+)"', text)
        older = re.search(r'href="([^"]+)" rel="next"', text)
        path = older[1].replace("&amp;", "&") if older else ""
    assert len(seen) == len(set(seen)) == 120
