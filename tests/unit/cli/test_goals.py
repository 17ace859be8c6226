"""What `--for`, `--sort-by`, `custom-columns` and the options of `logs` choose."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from qtasks.cli import writing
from qtasks.cli.differences import differences
from qtasks.cli.goals import goal
from qtasks.cli.logs import chosen
from qtasks.cli.outputs import listing, output
from qtasks.cli.report import log_line
from qtasks.cli.sorting import sort
from qtasks.errors import InvalidInput
from qtasks.lifecycle import Phase
from qtasks.resources import QiskitJob

from .documents import NOW, event, job

VALIDATED = {"type": "Validated", "status": "True"}


@pytest.mark.parametrize(
    ("text", "document", "met"),
    [
        ("Completed", job(), True),
        ("completed", job(phase="Failed"), False),
        ("final", job(phase="Failed"), True),
        ("phase=running", job(phase="Running"), True),
        ("phase=Retrying", job(), False),
        ("condition=Validated", job(conditions=[VALIDATED]), True),
        ("condition=validated=false", job(conditions=[VALIDATED]), False),
        ("condition=OutputDelivered", job(), False),
        ("jsonpath={.status.cost}", job(), True),
        ("jsonpath={.status.cost}=$0.00", job(), True),
        ("jsonpath={.status.provider.jobId}", job(), False),
    ],
)
def test_goals(text: str, document: dict[str, object], met: bool) -> None:
    assert goal(text).met(document) is met


def test_a_phase_that_is_past_was_reached() -> None:
    assert goal("phase=Running").met(job(), {Phase.RUNNING})


def test_only_the_delivery_of_an_output_follows_the_end() -> None:
    with_output = job()
    with_output["spec"]["output"] = {"location": "my-results"}
    assert goal("condition=OutputDelivered").possible(with_output)
    assert not goal("condition=OutputDelivered").possible(job())
    assert not goal("phase=Running").possible(with_output)
    assert goal("phase=Running").possible(job(phase="Pending"))


def test_lists_are_sorted_by_what_is_asked() -> None:
    cheap, dear = job("cheap", cost="$9.50"), job("dear", cost="$10.00")
    dear["spec"]["execution"]["priority"] = "urgent"
    dear["metadata"]["creationTimestamp"] = "2026-11-20T11:59:00.000000Z"
    unfinished = job("unfinished", phase="Pending", cost="$0.00")

    def names(key: str) -> list[str]:
        return [one["metadata"]["name"] for one in sort([cheap, dear, unfinished], key)]

    assert names("name") == ["cheap", "dear", "unfinished"]
    assert names("cost") == ["unfinished", "cheap", "dear"]
    assert names("priority")[0] == "dear"
    assert names("age")[0] == "dear"
    assert names("duration")[-1] == "unfinished"
    assert names(".status.completionTime")[-1] == "unfinished"


def test_custom_columns() -> None:
    template = 'custom-columns=NAME:.metadata.name,VALID:.status.conditions[?(@.type=="Validated")].status'
    found = output(template).text(listing([job("bell", conditions=[VALIDATED]), job("ghz")]))
    assert [line.split() for line in found.splitlines()] == [["NAME", "VALID"], ["bell", "True"], ["ghz", "<none>"]]


def test_logs_are_cut_by_time_number_and_attempt() -> None:
    events = [{**event(f"E{number}", "…"), "attempt": 1 + number // 2} for number in range(4)]
    events[3]["time"] = "2026-11-20T11:59:59.000000Z"
    assert [one["reason"] for one in chosen(events, tail=1)] == ["E3"]
    assert chosen(events, tail=0) == []
    assert [one["reason"] for one in chosen(events, previous=True)] == ["E0", "E1"]
    assert [one["reason"] for one in chosen(events, since=NOW - timedelta(seconds=5))] == ["E3"]
    assert log_line(event("Debug", "Compiled."), timestamps=False) == "DEBUG   Debug: Compiled.\n"


def test_another_spec_is_told_field_by_field() -> None:
    there = job()
    there["spec"] = {"circuit": {"source": "inline", "code": "a\nb"}, "execution": {"shots": 1024}}
    new = QiskitJob(
        metadata={"name": "bell"},
        spec={"circuit": {"source": "inline", "code": "a\nc"}, "execution": {"shots": 10, "priority": "high"}},
    )
    assert differences(there, new) == [
        "spec.circuit.code differs",
        "spec.execution.shots: 1024 → 10",
        "spec.execution.priority: <none> → high",
    ]


def test_a_file_is_written_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "counts.csv"
    file.write_bytes(b"old")
    file.chmod(0o640)
    writing.put(file, b"new")
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"new", 0o640)
    with pytest.raises(InvalidInput, match="No such file or directory") as raised:
        writing.put(tmp_path / "no" / "counts.csv", b"new")
    assert raised.value.reason == "FileNotWritable"
    assert list(tmp_path.iterdir()) == [file]
