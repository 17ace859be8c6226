"""Tables fit their width: what may be cut is cut, what may not stays whole."""

from __future__ import annotations

from qtasks.cli.job_table import job_table
from qtasks.cli.table import lines_of, table

from .documents import NOW, job

LONG = "a-very-long-name-that-somebody-gave-to-a-job-in-a-moment-of-leisure"
FAILURE = "'foo' is not defined in this scope (line 4): foo q[0];. Declare it with qreg, creg or gate before this line."


def test_columns_are_aligned_under_their_titles() -> None:
    assert table(("NAME", "SHOTS"), [("bell", "1024"), ("ghz-100", "1")]).plain.splitlines() == [
        "NAME      SHOTS",
        "bell      1024",
        "ghz-100   1",
    ]


def test_no_line_ends_in_blanks() -> None:
    lines = table(("A", "B"), [("x", ""), ("y", "long")]).plain.splitlines()
    assert lines == [line.rstrip() for line in lines]


def test_a_cell_cannot_break_its_line_or_command_the_terminal() -> None:
    assert table(("A",), [("one\ntwo\x1b[31m",)]).plain.splitlines() == ["A", "one two [31m"]


def test_wide_letters_count_twice() -> None:
    assert table(("A", "B"), [("量子", "x"), ("q", "y")]).plain.splitlines()[1:] == ["量子   x", "q      y"]


def test_jobs_at_80_columns() -> None:
    text = job_table([job(), job(LONG, "Scheduling")], now=NOW, width=80).plain
    assert text.splitlines() == [
        "NAME                     PHASE        BACKEND           PRIORITY   SHOTS   AGE",
        "bell                     Completed    local_simulator   high       2048    90s",
        "a-very-long-name-that…   Scheduling   local_simulator   high       2048    90s",
    ]
    assert max(map(len, text.splitlines())) <= 80


def test_wide_jobs_at_200_columns() -> None:
    text = job_table([job(LONG, "Failed", message=FAILURE)], now=NOW, width=200, wide=True).plain
    title, line = text.splitlines()
    narrow = ["NAME", "PHASE", "BACKEND", "PRIORITY", "SHOTS", "AGE"]
    assert title.split() == [*narrow, "POSITION", "STARTS", "ID", "ATTEMPT", "DURATION", "COST", "LABELS", "MESSAGE"]
    assert len(line) <= 200
    assert "01a1f878-10cd-7785-8324-209ffb2c2fc2" in line
    assert line.endswith("…")


def test_without_a_terminal_nothing_is_cut() -> None:
    text = job_table([job(LONG, "Failed", message=FAILURE)], now=NOW, wide=True, namespaces=True).plain
    assert text.startswith("NAMESPACE   NAME")
    assert LONG in text
    assert FAILURE in text


def test_a_watched_job_keeps_its_columns() -> None:
    done, validating = job(phase="Completed"), job(phase="Validating")
    starts = [job_table([each], now=NOW, width=80).plain.splitlines()[1].index("local") for each in (done, validating)]
    assert starts[0] == starts[1]


def test_the_last_column_goes_on_below_itself_and_a_path_stays_whole() -> None:
    path = "/srv/qtasks/configmaps/default/my-results/results"
    text = table(("REASON", "MESSAGE"), [("Delivered", f"The result went to {path} today.")], width=40, wrap=True)
    assert text.plain.splitlines() == [
        "REASON     MESSAGE",
        "Delivered  The result went to",
        f"           {path}",
        "           today.",
    ]


def test_values_are_aligned_and_several_lines_kept() -> None:
    assert lines_of([("Name", "bell"), ("Labels", "a=b\nc=d"), ("Backend", "")]).plain.splitlines() == [
        "Name:     bell",
        "Labels:   a=b",
        "          c=d",
        "Backend:",
    ]
