"""The application: its commands, and what becomes of an error."""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from qtasks.cli import (
    apply,
    auth,
    collect,
    costs,
    delete,
    describe,
    doctor,
    explain,
    get,
    jobs,
    prices,
    recover,
    run,
    servers,
)
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


class Commands(TyperGroup):
    """The commands, in the order in which they were added; an error of any of them is told on stderr, and its code is
    the process's."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except QTasksError as error:
            tell(error)
            raise typer.Exit(exit_code(error)) from None
        except (TyperException, typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if sys.flags.dev_mode:
                raise
            tell(
                QTasksError(
                    f"Something went wrong inside of qtasks: {type(error).__name__}: {_first_line(error)}",
                    hint="`python -X dev -m qtasks.cli …` shows where.",
                )
            )
            raise typer.Exit(1) from None


app = typer.Typer(
    name="qtasks",
    cls=Commands,
    help="The task queue for quantum circuits.\n\nExample: `qtasks run examples/bell.yaml`",
    epilog="Exit codes: 0 done, 1 the job failed, 2 the input was wrong, 3 not permitted, 4 not found, "
    "5 a service could not be reached or the time ran out.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (
    run,
    apply,
    get,
    describe,
    explain,
    jobs,
    costs,
    prices,
    delete,
    collect,
    recover,
    auth,
    doctor,
    servers,
):
    module.add_to(app)


def main() -> NoReturn:
    """Run the command line and exit with its code; errors are a sentence, a hint and a reason code on stderr."""
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has gone, and what is still buffered cannot be written when the interpreter ends either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(0)


def tell(error: QTasksError) -> None:
    """Write an error to stderr: what is wrong, what to do, and the reason code."""
    hint = f"\n{error.hint}" if error.hint else ""
    sys.stderr.write(f"qtasks: {error.message}{hint} [{error.reason}]\n")


def exit_code(error: QTasksError) -> int:
    """The exit code that an error stands for; 1 for what is no fault of caller, job or service."""
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 1)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0]
