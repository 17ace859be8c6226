"""What a notebook shows of jobs and results: everything that was said, and nothing of it as markup."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from qtasks.client.notebook import job_html
from qtasks.client.progress import Progress, _in_notebook, watching
from qtasks.lifecycle import Phase
from qtasks.results import EstimatorPubResult, JobResult, Provenance, SamplerPubResult
from qtasks.results.html import counts_html, result_html

_VOID = {"rect"}


class Reader(HTMLParser):
    """Text and tags of a fragment; fails on tags that are not closed in order."""

    def __init__(self, fragment: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(fragment)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + " "


EVIL = '<script>alert("1")</script>'
MADE = Provenance(circuit_hash="h", backend="ibm_perth", seed_simulator=42)


def result(*pubs: Any, program: Any = "sampler") -> JobResult:
    return JobResult("01a1-7", program, pubs, MADE)


def job(**status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "bell", "namespace": "lab", "uid": "01a1-7", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"backend": {"type": "local_simulator"}, "execution": {"shots": 100, "priority": "high"}},
        "status": {"phase": "Completed", "attempt": 1, "cost": "$0.00", **status},
    }


def test_counts_are_a_table_with_a_bar_for_each_outcome() -> None:
    read = Reader(counts_html({"00": 25, "11": 75}))
    assert "11" in read.text
    assert "75.0%" in read.text
    assert read.text.index("11") < read.text.index("00")
    widths = [int(value or 0) for name, value in read.attributes if name == "width" and value != "160"]
    assert widths == [53]
    assert read.tags.count("rect") == 2


def test_of_many_outcomes_the_most_frequent_are_shown_and_the_rest_added_up() -> None:
    counts = {format(number, "06b"): number + 1 for number in range(40)}
    read = Reader(counts_html(counts))
    assert read.tags.count("rect") == 16
    assert "24 more" in read.text
    assert f"{sum(range(1, 25)):,}" in read.text


def test_a_result_says_counts_shots_device_and_seed() -> None:
    read = Reader(result_html(result(SamplerPubResult([("meas", 2)], 2, 10, {"0x3": 6, "0x0": 4}))))
    for said in ("10 shots", "60.0%", "ibm_perth", "seed 42", "01a1-7"):
        assert said in read.text


def test_values_are_shown_with_their_errors_and_places() -> None:
    read = Reader(result_html(result(EstimatorPubResult([[0.5, -1.25]], [[0.01, 0.02]]), program="estimator")))
    for said in ("[0, 1]", "-1.25", "± 0.02"):
        assert said in read.text


def test_a_result_without_counts_and_one_of_many_pubs_can_be_shown() -> None:
    nothing = SamplerPubResult([], 0, 5, {})
    assert "nothing measured" in Reader(result_html(result(nothing))).text
    assert "and 4 more PUBs" in Reader(result_html(result(*[nothing] * 12))).text


def test_the_first_points_of_a_pub_with_a_shape_are_shown() -> None:
    points = [{"0x0": number, "0x1": 10 - number} for number in range(1, 7)]
    read = Reader(result_html(result(SamplerPubResult([("meas", 1)], 1, 10, {}, shape=(2, 3), points=points))))
    for said in ("point [0, 0]", "point [1, 0]", "and 2 more points of shape (2, 3)"):
        assert said in read.text


def test_a_job_says_where_it_stands_and_why() -> None:
    conditions = [{"type": "Validated", "status": "False", "reason": "InvalidCircuit", "message": "No gate foo."}]
    read = Reader(job_html(job(phase="Failed", reason="InvalidCircuit", message="No gate foo.", conditions=conditions)))
    for said in ("lab/bell", "Failed", "InvalidCircuit: No gate foo.", "local_simulator", "high", "Validated"):
        assert said in read.text


def test_what_a_user_wrote_is_text_and_never_markup() -> None:
    hostile = job(phase="Failed", reason="X", message=EVIL, conditions=[{"type": EVIL, "message": EVIL}], backend=EVIL)
    hostile["metadata"] |= {"name": EVIL, "namespace": EVIL}
    pub = SamplerPubResult([("meas", 1)], 1, 1, {"0x0": 1})
    progress = Progress({"1": EVIL})
    for fragment in (job_html(hostile), counts_html({EVIL: 1}), result_html(result(pub)), progress._repr_html_()):
        assert "script" not in Reader(fragment).tags


def test_a_bar_fills_as_the_job_goes_on() -> None:
    progress = Progress({"1": "bell"})
    seen = []
    for phase in (Phase.PENDING, Phase.VALIDATING, Phase.SCHEDULING, Phase.RUNNING, Phase.FAILED):
        progress.seen("1", phase)
        seen.append(progress.steps / progress.total)
    assert seen == [0, 0.25, 0.5, 0.75, 1]
    assert progress.text == "bell Failed"
    assert 'value="4" max="4"' in progress._repr_html_()


def test_of_several_jobs_the_bar_counts_those_that_are_final() -> None:
    progress = Progress({str(number): f"job-{number}" for number in range(4)})
    progress.seen("1", Phase.COMPLETED)
    progress.seen("2", Phase.RUNNING)
    progress.seen("another", Phase.COMPLETED)
    assert progress.text == "1 of 4 jobs"
    assert (progress.steps, progress.total) == (7, 16)


def test_a_notebook_is_shown_each_change_once() -> None:
    shown: list[str] = []

    class Display:
        """What IPython's `display(…, display_id=True)` does."""

        def __call__(self, progress: Progress, *, display_id: bool) -> Display:
            assert display_id
            self.update(progress)
            return self

        def update(self, progress: Progress) -> None:
            shown.append(progress._repr_html_())

    seen = _in_notebook(Progress({"1": "bell"}), Display())
    for phase in (Phase.RUNNING, Phase.RUNNING, Phase.COMPLETED):
        seen("1", phase)
    assert ["Pending" in shown[0], "Running" in shown[1], "Completed" in shown[2]] == [True] * 3
    assert len(shown) == 3


def test_where_there_is_no_terminal_no_bar_is_drawn(capfd: pytest.CaptureFixture[str]) -> None:
    with watching({"1": "bell"}) as seen:
        seen("1", Phase.RUNNING)
        seen("1", Phase.COMPLETED)
    assert capfd.readouterr() == ("", "")
