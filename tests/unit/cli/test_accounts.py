"""Accounts and sessions as tables and texts."""

from __future__ import annotations

from typing import Any

import pytest

from qtasks.cli.account_table import account_table, bar, quantum
from qtasks.cli.descriptions import account_description, session_description
from qtasks.cli.session_table import session_table

from .documents import NOW


def account(**status: Any) -> dict[str, Any]:
    known = {
        "used": 125.0,
        "reserved": 5.0,
        "remaining": 470.0,
        "limit": 600.0,
        "days": 28,
        "freesAt": None,
        "jobs": {"waiting": 3, "open": 2},
        "pausedUntil": None,
        "polledAt": "2026-11-20T11:59:48.000000Z",
        "reason": None,
        "message": None,
    }
    head = {"kind": "Account", "name": "lab-open", "provider": "ibm_quantum", "plan": "open", "namespaces": ["lab"]}
    return {**head, "status": {**known, **status}}


def test_an_account_is_one_line() -> None:
    text = account_table([account()], now=NOW).plain
    assert text.splitlines() == [
        "NAME       PROVIDER      PLAN   USED   REMAINING        FREES    JOBS   LAST-POLL   TROUBLE",
        "lab-open   ibm_quantum   open   2m5s   ██████░░ 7m50s   <none>   2+3    12s         <none>",
    ]


def test_an_account_fits_into_80_columns() -> None:
    exhausted = account(used=600.0, remaining=0.0, freesAt="2026-11-23T12:00:00.000000Z", reason="AllowanceExhausted")
    lines = account_table([exhausted, account()], now=NOW, width=80).plain.splitlines()
    assert max(map(len, lines)) <= 80
    assert "░░░░░░░░ 0s" in lines[1]
    assert "in 3d" in lines[1]


def test_a_wide_table_has_the_limit_and_the_message() -> None:
    text = account_table([account(reason="Throttled", message="Too many requests.")], now=NOW, wide=True).plain
    assert "10m in 28d" in text
    assert text.splitlines()[1].endswith("lab          Too many requests.")


@pytest.mark.parametrize(("share", "shown"), [(0, "░░░░"), (0.01, "█░░░"), (0.5, "██░░"), (0.99, "███░"), (1, "████")])
def test_a_bar_never_shows_some_as_none_or_all(share: float, shown: str) -> None:
    assert bar(share, 4) == shown


def test_quantum_time_is_short() -> None:
    assert [quantum(seconds) for seconds in (0, 0.01, 2.04, 45.9, 570, 10800)] == [
        "0s",
        "<0.1s",
        "2.0s",
        "45s",
        "9m30s",
        "3h",
    ]


def test_an_account_without_a_limit_says_so() -> None:
    unlimited = account(limit=None, remaining=None, days=None)
    assert "no limit" in account_table([unlimited], now=NOW).plain
    assert "Allowance:   no limit" in account_description(unlimited, now=NOW).plain


def test_a_description_tells_what_is_left_and_what_is_wrong() -> None:
    text = account_description(account(reason="Throttled", message="Too many requests."), now=NOW, width=80).plain
    assert "Remaining:   7m50s ████████████████░░░░" in text
    assert "Jobs:        2 at the provider, 3 waiting for their turn" in text
    assert "Trouble:     Too many requests. [Throttled]" in text


SESSION = {
    "metadata": {"name": "vqe", "namespace": "lab", "creationTimestamp": "2026-11-20T11:00:00.000000Z"},
    "spec": {"backend": {"type": "ibm_quantum"}, "maxTime": "30m", "mode": "batch"},
    "status": {
        "phase": "Open",
        "mode": "batch",
        "account": "lab",
        "device": "ibm_fez",
        "jobs": 5,
        "openJobs": 2,
        "expiresAt": "2026-11-20T12:10:00.000000Z",
    },
}


def test_a_session_is_one_line_or_a_text() -> None:
    assert session_table([SESSION], now=NOW, namespaces=True).plain.splitlines() == [
        "NAMESPACE   NAME   PHASE   MODE    ACCOUNT   DEVICE    OPEN-JOBS   EXPIRES   AGE",
        "lab         vqe    Open    batch   lab       ibm_fez   2 of 5      in 10m    60m",
    ]
    text = session_description(SESSION, now=NOW, width=80).plain
    assert "Longest time:  30m" in text
    assert "Expires:       2026-11-20T12:10:00.000000Z (in 10m)" in text
