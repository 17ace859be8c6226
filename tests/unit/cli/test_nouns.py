"""What words after a verb name."""

from __future__ import annotations

import pytest

from qtasks.cli.nouns import Kind, after_noun, meant, names, of_any_kind
from qtasks.errors import InvalidInput


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("jobs", (Kind.JOBS, [])),
        ("job bell ghz", (Kind.JOBS, ["bell", "ghz"])),
        ("qiskitjob/bell job/ghz", (Kind.JOBS, ["bell", "ghz"])),
        ("account lab-open", (Kind.ACCOUNTS, ["lab-open"])),
        ("qiskitsessions", (Kind.SESSIONS, [])),
        ("session/vqe", (Kind.SESSIONS, ["vqe"])),
        ("budget research", (Kind.BUDGETS, ["research"])),
        ("qiskitbackends", (Kind.BACKENDS, [])),
    ],
)
def test_a_noun_comes_first_when_things_are_listed(words: str, found: tuple[Kind, list[str]]) -> None:
    assert after_noun(words.split()) == found


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("bell bell", (Kind.JOBS, ["bell"])),
        ("job bell", (Kind.JOBS, ["bell"])),
        ("session", (Kind.JOBS, ["session"])),
        ("session vqe", (Kind.SESSIONS, ["vqe"])),
        ("account/lab", (Kind.ACCOUNTS, ["lab"])),
    ],
)
def test_names_alone_are_jobs(words: str, found: tuple[Kind, list[str]]) -> None:
    assert of_any_kind(words.split()) == found


def test_verbs_of_jobs_take_names_as_they_are() -> None:
    assert names(["job", "bell"]) == ["bell"]
    assert names(["session", "bell"]) == ["session", "bell"]
    with pytest.raises(InvalidInput, match="Jobs are wanted, not accounts"):
        names(["account/lab"])


def test_a_noun_that_is_nearly_right_is_guessed() -> None:
    with pytest.raises(InvalidInput) as raised:
        after_noun(["jbs"])
    assert raised.value.hint.startswith('Did you mean "jobs"? Kinds: jobs, accounts,')
    assert meant("pods", Kind) == ""
