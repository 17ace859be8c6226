"""What `explain` and `estimate` show, at several widths."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from qtasks.cli.selection_table import estimate_text, explanation_text, weights_text

GARNET = "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"
WEIGHTS = {"cost": 0.7, "queueTime": 0.2, "capability": 0.05, "availability": 0.05, "preset": "cost-optimized"}


def candidate(device: str, account: str | None, **more: Any) -> dict[str, Any]:
    scores = {"total": 0.8123, "cost": 1.0, "queueTime": 0.5, "capability": 0.9, "availability": 0.75}
    return {
        "device": device,
        "account": account,
        "scores": scores,
        "cost": "0.001600",
        "upperBoundCost": "3.20",
        "price": "pay-as-you-go: $1.60 a second (https://www.ibm.com/quantum/products, 2025-12)",
        "quantumSeconds": 2.4,
        "waitSeconds": 330.0,
        "waitIs": "as the provider says",
        "fidelity": 0.9312,
        "fidelityBasis": "compiled",
        "calibration": "0123456789abcdef",
        "notes": [],
        "whyNot": None,
        **more,
    }


def refused(device: str, account: str, message: str) -> dict[str, Any]:
    why = {"reason": "QueueTooLong", "message": message}
    unknown = {"cost": None, "waitSeconds": None, "fidelity": None, "fidelityBasis": "unknown"}
    return candidate(device, account, scores=None, whyNot=why, **unknown)


def document(*candidates: dict[str, Any], chosen: bool = True) -> dict[str, Any]:
    return {
        "job": {"id": "1", "name": "vqe", "namespace": "lab", "attempt": 2},
        "selection": {
            "at": "2026-11-20T12:00:00.000000Z",
            "chosen": {"device": candidates[0]["device"], "account": candidates[0]["account"]} if chosen else None,
            "reason": "BackendSelected" if chosen else "QueueTooLong",
            "message": "The job runs on ibm_fez under account lab-open, the best of 2." if chosen else "No device.",
            "heals": True,
            "omitted": 0,
            "candidates": list(candidates),
        },
        "earlier": [
            {"attempt": 1, "selection": {"message": "The job runs on ibm_lagos.", "reason": "BackendSelected"}}
        ],
        "estimates": {"jobs": 12, "medianErrorSeconds": 45.0, "medianBiasSeconds": 40.0},
        "weights": WEIGHTS,
    }


THREE = document(
    candidate("ibm_fez", "lab-open", notes=["stale: in service and its queue as of 2 h ago"]),
    candidate(GARNET, "aws", fidelityBasis="estimated"),
    refused(
        "ibm_kingston", "lab-open", "The wait is 4,000 s (as the provider says); requirements.maxQueueTime is 600 s."
    ),
)


def drawn(width: int, *, colours: bool) -> str:
    out = StringIO()
    # A terminal that is told its colours, as `terminal.console` finds them by itself.
    system = "standard" if colours else None
    console = Console(file=out, force_terminal=colours, color_system=system, no_color=not colours, soft_wrap=True)
    console.print(explanation_text(THREE, width=width))
    return out.getvalue()


def test_at_200_columns_every_score_has_its_column_and_every_reason_its_place() -> None:
    lines = explanation_text(THREE, width=200).plain.splitlines()
    scores = ["SCORE", "COST", "QUEUE", "CAPABILITY", "AVAILABILITY"]
    assert lines[3].split() == ["DEVICE", "ACCOUNT", *scores, "PRICE", "WAIT", "FIDELITY", "WHY", "NOT"]
    figures = ["0.81", "1.00", "0.50", "0.90", "0.75", "$0.0016", "5m30s"]
    assert lines[4].split() == ["*", "ibm_fez", "lab-open", *figures, "0.931"]
    assert lines[5].split() == [GARNET, "aws", *figures, "~0.931"]
    assert lines[6].startswith("ibm_kingston")
    assert "unknown  unknown  unknown   The wait is 4,000 s" in lines[6]
    assert max(map(len, lines)) <= 200


@pytest.mark.parametrize("width", [80, 100, 120, 140])
def test_where_there_is_less_room_nothing_is_lost_but_words_are_shorter(width: int) -> None:
    text = explanation_text(THREE, width=width).plain
    assert max(map(len, text.splitlines())) <= width
    assert "* ibm_fez" in text
    assert "iqm/Garnet" in text
    for figure in ("0.81", "$0.0016", "5m30s", "~0.931"):
        assert figure in text
    assert "requirements.maxQueueTime" in text
    assert "stale: in service" in text


def test_below_the_table_stand_cost_price_weights_and_past_errors() -> None:
    text = explanation_text(THREE, width=200).plain
    assert "Weights:         cost 70 %, queue time 20 %, capability 5 %, availability 5 % (cost-optimized)" in text
    assert "Cost:            $0.0016, at most $3.20" in text
    assert "Price:           pay-as-you-go: $1.60 a second (https://www.ibm.com/quantum/products, 2025-12)" in text
    assert "Starts:          in about 5m30s: as the provider says" in text
    assert "Quantum time:    about 2.4s" in text
    assert "Attempt 1:       The job runs on ibm_lagos. [BackendSelected]" in text
    assert "Past estimates:  of 12 jobs, half started within 45s of it; typically 40s later" in text


def test_of_no_device_it_is_told_whether_waiting_may_help() -> None:
    none = document(refused("ibm_fez", "lab", "The wait is 4,000 s."), chosen=False)
    text = estimate_text(none, width=80).plain
    assert "* " not in text
    assert "It is looked at again" in text
    assert "Cost:" not in text


def test_colours_are_for_terminals_only_and_change_no_letter() -> None:
    plain, coloured = drawn(80, colours=False), drawn(80, colours=True)
    assert "\x1b" not in plain
    assert "\x1b[32m" in coloured
    assert Text.from_ansi(coloured).plain.rstrip() == plain.rstrip()


def test_weights_are_shown_as_shares_of_their_sum() -> None:
    own = {"cost": 2, "queueTime": 1, "capability": 1, "availability": 0, "preset": None}
    assert weights_text(own) == "cost 50 %, queue time 25 %, capability 25 %, availability 0 %"
