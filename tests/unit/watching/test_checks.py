"""How the doctor judges what it was told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from qtasks.client.checks.certificates import certificates
from qtasks.client.checks.clock import skewed
from qtasks.client.checks.finding import Finding, Mark, of_error, ok, tried, worst
from qtasks.errors import InvalidInput, Unavailable
from qtasks.settings import Settings

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "mark"),
    [(0, Mark.OK), (0.9, Mark.OK), (-0.9, Mark.OK), (1.5, Mark.WARN), (-3, Mark.WARN), (7, Mark.FAIL)],
)
def test_a_clock_that_is_off_is_told(seconds: float, mark: Mark) -> None:
    found = skewed("clock", NOW + timedelta(seconds=seconds), NOW, NOW)
    assert found.mark is mark
    assert ("behind" in found.detail) == (seconds <= -1)


def test_a_slow_answer_is_no_skew() -> None:
    assert skewed("clock", NOW + timedelta(seconds=4), NOW, NOW + timedelta(seconds=8)).mark is Mark.OK


def test_the_worst_decides_and_a_service_is_worse_than_a_setting() -> None:
    well, away = ok("a", "b"), of_error("c", Unavailable("It is away."))
    wrong = of_error("d", InvalidInput("It is wrong."))
    hint = Finding("e", Mark.WARN, "f")
    assert (worst([]), worst([well, hint]), worst([well, wrong]), worst([wrong, away])) == (0, 0, 2, 5)


def test_what_a_library_raises_is_a_finding_without_its_words() -> None:
    def probe() -> list[Finding]:
        raise RuntimeError("password hunter2")

    (found,) = tried("part", probe)
    assert found.mark is Mark.FAIL and "hunter2" not in str(found)


def _settings(folder: Path, *, days: float) -> Settings:
    cert = trustme.CA().issue_cert("qtasks.example", not_after=datetime.now(UTC) + timedelta(days=days))
    cert.private_key_pem.write_to_path(folder / "key.pem")
    cert.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    return Settings(home=folder, api_tls_cert=folder / "cert.pem", api_tls_key=folder / "key.pem")


@pytest.mark.parametrize(("days", "mark"), [(90, Mark.OK), (10, Mark.WARN), (-1, Mark.FAIL)])
def test_a_certificate_is_told_of_before_it_runs_out(tmp_path: Path, days: float, mark: Mark) -> None:
    (found,) = certificates(_settings(tmp_path, days=days))
    assert found.mark is mark and str(tmp_path / "cert.pem") in found.detail


def test_a_key_that_is_not_the_certificates_is_set_wrongly(tmp_path: Path) -> None:
    given = _settings(tmp_path, days=90)
    other = trustme.CA().issue_cert("qtasks.example")
    other.private_key_pem.write_to_path(tmp_path / "key.pem")
    found = list(tried("certificate", lambda: certificates(given)))
    assert [one.mark for one in found] == [Mark.OK, Mark.WRONG]
    (tmp_path / "cert.pem").write_text("nothing")
    (found_none,) = tried("certificate", lambda: certificates(given))
    assert found_none.mark is Mark.WRONG and "QTASKS_API_TLS_CERT" in found_none.hint
