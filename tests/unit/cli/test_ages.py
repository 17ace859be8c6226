"""Lengths of time read as kubectl writes them."""

from __future__ import annotations

import pytest

from qtasks.cli.ages import age, human, precise

from .documents import NOW


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        # The table of TestHumanDuration in k8s.io/apimachinery/pkg/util/duration.
        (-3, "0s"),
        (1, "1s"),
        (70, "70s"),
        (190, "3m10s"),
        (600, "10m"),
        (47 * 60, "47m"),
        (150 * 60, "150m"),
        (4 * 3600, "4h"),
        (4 * 3600 + 20 * 60, "4h20m"),
        (9 * 3600, "9h"),
        (47 * 3600 + 53 * 60, "47h"),
        (2 * 86400 + 5 * 3600, "2d5h"),
        (8 * 86400 + 5 * 3600, "8d"),
        (365 * 86400, "365d"),
        (2 * 365 * 86400 + 25 * 86400, "2y25d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_a_length_of_time(seconds: int, text: str) -> None:
    assert human(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.000372, "0.37 ms"), (0.0452, "45.2 ms"), (7.918, "7.92 s"), (3600, "60m")]
)
def test_a_measured_time(seconds: float, text: str) -> None:
    assert precise(seconds) == text


def test_an_age_is_counted_from_a_documents_timestamp() -> None:
    assert age("2026-11-20T11:58:30.000000Z", NOW) == "90s"
