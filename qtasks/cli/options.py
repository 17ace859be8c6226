"""The options and arguments that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from qtasks.errors import InvalidInput

DEFAULT_NAMESPACE = "default"

Namespace = Annotated[str, typer.Option("--namespace", "-n", metavar="NAME", help="The namespace of the jobs.")]
OwnNamespace = Annotated[
    str | None,
    typer.Option("--namespace", "-n", metavar="NAME", help="The namespace; the file's own, or `default`, when absent."),
]
Selector = Annotated[
    str | None,
    typer.Option("--selector", "-l", metavar="SELECTOR", help="Labels, such as `app=vqe,team!=ops,gpu,!old`."),
]
Names = Annotated[list[str], typer.Argument(metavar="NAME|ID", help="Jobs, by name or id.")]
Name = Annotated[list[str], typer.Argument(metavar="NAME|ID", help="A job, by name or id.")]
Noun = Annotated[
    list[str],
    typer.Argument(
        metavar="KIND",
        help="`jobs` for all, `jobs NAME|ID…` for some; likewise `accounts`, `backends`, `budgets`, `sessions`.",
    ),
]
Things = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME|ID",
        help="Jobs, by name or id; or `budget NAME…`, `backend NAME…`, `session NAME…`, `account NAME…`.",
    ),
]
Deleted = Annotated[
    list[str],
    typer.Argument(
        metavar="job|session|budget|backend NAME",
        help="Jobs, by name or id; sessions, budgets, or backends that were registered by hand.",
    ),
]
ApiKeyIndex = Annotated[
    int | None,
    typer.Option(
        "--api-key-index", metavar="N", min=0, help="The account, as its place in QTASKS_CONFIG, counted from 0."
    ),
]
Account = Annotated[
    str | None,
    typer.Option("--account", metavar="NAME", help="The account of jobs that no row knows, by its name."),
]
JobsFile = Annotated[
    Path | None,
    typer.Option("--jobs-file", metavar="F.jsonl", help="Write a line for each job, by which `collect` finds it."),
]
JobsFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--jobs-file",
        metavar="F.jsonl",
        help="The jobs of this file, whose statuses are brought up to date. Repeatable.",
    ),
]


class Priority(StrEnum):
    """The priorities, as `qtasks.resources` has them: that module is too slow to import for `--help`."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


def seconds_of(option: str, text: str) -> float:
    """The seconds of an option's duration, such as 90 or 1h30m. Raises InvalidInput (`InvalidDuration`)."""
    from qtasks.resources import Duration

    try:
        return Duration(text).seconds
    except ValueError as error:
        raise InvalidInput(f"{option}: {error}.", reason="InvalidDuration") from None
