"""What a template makes of hostile words, and the headers that a page has."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from qtasks.api.page.checked import Drawn
from qtasks.api.page.drawing.layout import Mark, Wire, lay_out
from qtasks.api.page.rendering import ASSETS, asset, asset_link, html, marked
from qtasks.api.page.views import job as view
from qtasks.api.page.views import jobs as choices
from qtasks.api.page.views.fields import Fields
from qtasks.errors import NotFound
from qtasks.results import JobResult, Provenance, SamplerPubResult
from tests.page.documents import START, event, job

NOW = START + timedelta(seconds=10)
EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{7919*7907}}"
PAGES = (
    *("base", "parts", "circuit", "error", "login"),
    *("jobs", "job", "submit", "budgets", "accounts", "queues"),
)
OUTSIDE: dict[str, Any] = {"here": "", "caller": None, "secret": "s", "secret_field": "f", "flower": ""}


def _inert(text: str) -> None:
    assert "<script>alert" not in text
    assert "<img" not in text
    assert str(7919 * 7907) not in text
    assert "&lt;script&gt;alert(1)" in text


def test_hostile_words_of_a_job_are_shown_and_do_nothing() -> None:
    document = job("Failed", name=EVIL, namespace=EVIL, labels={EVIL: EVIL}, status={"message": EVIL, "reason": EVIL})
    document["spec"]["circuit"]["code"] = EVIL
    events = [event(0, "Submitted", EVIL), event(1, "Output", EVIL, source=EVIL)]
    result = JobResult(
        "j",
        "sampler",
        [SamplerPubResult([(EVIL, 1)], 1, 1, {"0x1": 1})],
        Provenance(circuit_hash=EVIL, backend=EVIL),
    )
    circuit = lay_out([Wire(EVIL, True)], [Mark("gate", EVIL, EVIL, (0,))])
    page = html(
        "job.html",
        **OUTSIDE,
        job=view.view(document, events, result, NOW),
        refresh=0,
        pictures=[Drawn(EVIL, circuit)],
        choice=None,
        trouble=NotFound(EVIL, hint=EVIL),
        formats=["json"],
        too_late=False,
    )
    _inert(bytes(page.body).decode())


def test_hostile_words_of_a_filter_and_of_a_form_do_nothing() -> None:
    filters = choices.Filters(*[EVIL] * 7)
    shown = html("jobs.html", **OUTSIDE, filters=filters, error=None, rows=[], older="", choices=choices, refresh=0)
    _inert(bytes(shown.body).decode())
    form = html("submit.html", **OUTSIDE, fields=Fields(*[EVIL] * 10), errors={"": EVIL, "name": EVIL}, once=EVIL,
                choices=choices, refresh=0)  # fmt: skip
    _inert(bytes(form.body).decode())


def test_a_hint_shows_commands_as_code_and_nothing_else_as_markup() -> None:
    assert marked("Run `qtasks get jobs` <now>.") == "Run <code>qtasks get jobs</code> &lt;now&gt;."
    assert marked("`<b>`") == "<code>&lt;b&gt;</code>"


def test_no_page_allows_a_script_or_a_style_but_the_servers_own() -> None:
    page = html("error.html", 404, **OUTSIDE, error=NotFound("Nothing."), code=404)
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", PAGES)
def test_no_template_has_what_the_policy_forbids(name: str) -> None:
    from importlib.resources import files

    text = (files("qtasks.api.page") / "templates" / f"{name}.html").read_text()
    assert not re.search(r"\sstyle=|\son\w+=|<style|javascript:", text)
    assert all('src="{{ asset(' in tag for tag in re.findall(r"<script[^>]*>", text))


def test_files_are_kept_for_ever_under_an_address_of_their_content() -> None:
    for name in ASSETS:
        assert re.fullmatch(rf"/page/{re.escape(name)}\?v=[0-9a-f]{{12}}", asset_link(name))
        assert "immutable" in asset(name).headers["cache-control"]
    with pytest.raises(KeyError):
        asset("../templates/base.html")


def test_style_and_script_ask_nothing_of_other_hosts() -> None:
    for name in ("page.css", "page.js"):
        content = bytes(asset(name).body).decode()
        assert "http" not in content
        assert "@import" not in content and "url(" not in content
