"""The application: its commands, and what becomes of an error."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from qtasks.cli import servers
from qtasks.errors import Conflict, Forbidden, InvalidInput, JobFailed, NotFound, QTasksError, Unavailable, WaitTimeout

EXIT_CODES: tuple[tuple[type[QTasksError], int], ...] = (
    (JobFailed, 1),
    (InvalidInput, 2),
    (Conflict, 2),
    (Forbidden, 3),
    (NotFound, 4),
    (Unavailable, 5),
    (WaitTimeout, 5),
)

app = typer.Typer(
    name="qtasks",
    help="The task queue for quantum circuits.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
servers.add_to(app)


def run() -> NoReturn:
    """Run the command line and exit with its code; errors are a sentence, a hint and a reason code on stderr."""
    try:
        app()
    except QTasksError as error:
        hint = f"\n{error.hint}" if error.hint else ""
        sys.stderr.write(f"qtasks: {error.message}{hint} [{error.reason}]\n")
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


def exit_code(error: QTasksError) -> int:
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 1)
