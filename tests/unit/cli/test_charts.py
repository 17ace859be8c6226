"""Charts of text, and the pictures of the same."""

from __future__ import annotations

from math import nan

import pytest
from rich.cells import cell_len

from qtasks.cli.charts import charts, compared, points_of, shares
from qtasks.errors import InvalidInput
from qtasks.results import EstimatorPubResult, JobResult, SamplerPubResult
from tests.unit.results.examples import BELL, with_pubs

WIDE = with_pubs(
    SamplerPubResult(
        [("c", 5)], 5, 1000, {hex(outcome): count for outcome, count in enumerate([600, 300, 50, 25, 15, 10])}
    )
)
ENERGIES = with_pubs(EstimatorPubResult([-1.0, 0.5, nan], [0.1, 0.05, nan]), program="estimator")
SWEEP = with_pubs(
    SamplerPubResult([("c", 1)], 1, 10, {}, shape=(2,), points=[{"0x0": 10}, {"0x0": 4, "0x1": 6}]),
    SamplerPubResult([("c", 1)], 1, 10, {"0x1": 10}),
)


def text(*results: tuple[str, JobResult], width: int = 40, rows: int = 8, chosen: bool = False) -> list[str]:
    return charts(results, width=width, rows=rows, chosen=chosen).plain.splitlines()


def test_one_job_is_a_histogram() -> None:
    assert text(("bell", BELL)) == [
        "00  ██████████████████████▉   510  49.8%",
        "11  ███████████████████████   514  50.2%",
    ]


def test_many_outcomes_are_the_most_frequent_and_what_the_rest_comes_to() -> None:
    lines = text(("wide", WIDE), rows=3)
    assert [line.split()[0] for line in lines] == ["00000", "00001", "00010", "3"]
    assert lines[-1].startswith("3 more  ")
    assert lines[-1].endswith("  50   5.0%")
    # Five of six would leave a line for one outcome, which may as well stand there itself.
    assert len(text(("wide", WIDE), rows=5)) == 6
    assert text(("wide", WIDE), rows=5, chosen=True)[-1].startswith("1 more")


def test_jobs_are_compared_outcome_by_outcome_as_shares_of_their_shots() -> None:
    other = with_pubs(SamplerPubResult([("meas", 2)], 2, 10, {"0x0": 10}))
    lines = text(("bell", BELL), ("zeros", other), width=44)
    assert [line.split()[:2] for line in lines[::2]] == [["00", "bell"], ["11", "bell"]]
    assert [line.split()[-2:] for line in lines] == [
        ["510", "49.8%"],
        ["10", "100.0%"],
        ["514", "50.2%"],
        ["0", "0.0%"],
    ]


def test_expectation_values_lie_between_the_least_and_the_largest_with_their_errors() -> None:
    lines = text(("vqe", ENERGIES), width=60)
    assert lines[0].startswith("[0]  ├")
    assert lines[0].endswith("-1 ± 0.1")
    assert "┤" in lines[1]
    assert lines[2].endswith("nan")
    assert "●" not in lines[2]
    assert lines[3].split() == ["-1.1", "0", "0.55"]
    assert [label for label, _, _ in points_of(EstimatorPubResult([[1.0, 2.0]], 0.5))] == ["[0,0]", "[0,1]"]


def test_each_pub_and_each_point_has_a_chart() -> None:
    assert [chart.title for chart in compared([("sweep", SWEEP)])] == ["PUB 0, point [0]", "PUB 0, point [1]", "PUB 1"]
    assert text(("sweep", SWEEP))[0] == "PUB 0, point [0]:"


@pytest.mark.parametrize("width", [20, 80, 200])
@pytest.mark.parametrize("result", [BELL, WIDE, ENERGIES, SWEEP])
def test_charts_fit_the_width(width: int, result: JobResult) -> None:
    lines = text(("a-job-with-a-name-that-is-rather-long", result), width=width)
    if width > 20:
        assert max(map(cell_len, lines)) <= min(width, 100)
    assert all(lines)


def test_counts_and_expectation_values_are_not_compared() -> None:
    with pytest.raises(InvalidInput, match="do not go into one picture") as raised:
        compared([("bell", BELL), ("vqe", ENERGIES)])
    assert raised.value.reason == "NotComparable"


def test_what_is_not_shown_adds_up() -> None:
    found = shares([{"a": 6, "b": 3, "c": 1}, {}], 1)
    assert (found.outcomes, found.others, found.rest(1)) == (["a"], 2, 0.0)
    assert found.rest(0) == pytest.approx(0.4)


@pytest.mark.system
@pytest.mark.parametrize(("form", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_pictures_are_the_same_bytes_for_the_same_results(form: str, begins: bytes) -> None:
    from qtasks.cli.pictures import picture

    drawn = [picture([("wide", WIDE), ("bell", BELL)], form, top=3) for _ in range(2)]
    assert drawn[0].startswith(begins)
    assert drawn[0] == drawn[1]
    assert picture([("vqe", ENERGIES)], form).startswith(begins)
    if form == "svg":
        assert "5 more" in drawn[0].decode()
