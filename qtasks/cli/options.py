"""The options and arguments that several commands share, and what their words mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from qtasks.errors import InvalidInput

JOBS = ("jobs", "job", "qiskitjobs", "qiskitjob")
"""What jobs may be called."""

_NOT_SERVED = {
    **dict.fromkeys(("backend", "backends", "qiskitbackend", "qiskitbackends"), "backends"),
    **dict.fromkeys(("budget", "budgets", "qiskitbudget", "qiskitbudgets"), "budgets"),
    **dict.fromkeys(("session", "sessions", "qiskitsession", "qiskitsessions"), "sessions"),
    **dict.fromkeys(("account", "accounts"), "accounts"),
}

DEFAULT_NAMESPACE = "default"


def _nouns(incomplete: str) -> list[str]:
    return [noun for noun in JOBS if noun.startswith(incomplete)]


Namespace = Annotated[str, typer.Option("--namespace", "-n", metavar="NAME", help="The namespace of the jobs.")]
OwnNamespace = Annotated[
    str | None,
    typer.Option("--namespace", "-n", metavar="NAME", help="The namespace; the file's own, or `default`, when absent."),
]
Selector = Annotated[
    str | None,
    typer.Option("--selector", "-l", metavar="SELECTOR", help="Labels, such as `app=vqe,team!=ops,gpu,!old`."),
]
Names = Annotated[list[str], typer.Argument(metavar="NAME|ID", help="Jobs, by name or id.", autocompletion=_nouns)]
Name = Annotated[list[str], typer.Argument(metavar="NAME|ID", help="A job, by name or id.", autocompletion=_nouns)]
Noun = Annotated[
    list[str], typer.Argument(metavar="jobs", help="`jobs` for all, `jobs NAME|ID…` for some.", autocompletion=_nouns)
]


def names_after_noun(words: Sequence[str]) -> list[str]:
    """The jobs that `jobs NAME…`, or `job/NAME…`, names; none for all. Raises InvalidInput for what is not served."""
    noun = words[0].partition("/")[0]
    if noun in _NOT_SERVED:
        raise InvalidInput(
            f"This version of qtasks serves jobs only, not {_NOT_SERVED[noun]}.",
            reason="KindNotServed",
            hint="`qtasks get jobs` lists the jobs.",
        )
    if noun not in JOBS:
        raise InvalidInput(
            f'There is no kind of thing called "{noun}".',
            reason="NoSuchKind",
            hint=f"Write `qtasks get jobs`, or `qtasks get jobs {noun}` for the job of that name.",
        )
    return [_bare(word) for word in (words if "/" in words[0] else words[1:])]


def names(words: Sequence[str]) -> list[str]:
    """The jobs that `NAME…`, `job NAME…` or `job/NAME…` name, at least one, each once."""
    rest = words[1:] if len(words) > 1 and words[0] in JOBS else words
    return list(dict.fromkeys(map(_bare, rest)))


def name(words: Sequence[str]) -> str:
    """The one job that `NAME`, `job NAME` or `job/NAME` names; raises InvalidInput when there are several."""
    found = names(words)
    if len(found) > 1:
        raise InvalidInput(f"One job is wanted, not {len(found)}: {', '.join(found)}.")
    return found[0]


def _bare(word: str) -> str:
    noun, slash, bare = word.partition("/")
    return bare if slash and noun in JOBS else word
