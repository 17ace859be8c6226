"""The application: its commands, and what becomes of an error."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from qtasks.cli import (
    apply,
    auth,
    cancel,
    collect,
    completion,
    costs,
    delete,
    describe,
    doctor,
    explain,
    get,
    logs,
    objects,
    operator,
    plot,
    prices,
    recover,
    redeliver,
    results,
    run,
    servers,
    wait,
)
from qtasks.errors import Conflict, Forbidden, InvalidInput, JobFailed, NotFound, QTasksError, Unavailable, WaitTimeout
from qtasks.telemetry.logs import serving

log = logging.getLogger(__name__)

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

    def main(self, *args: Any, **options: Any) -> Any:
        alone = options.get("standalone_mode", True)
        options["standalone_mode"] = False
        if not alone:
            return super().main(*args, **options)
        try:
            code = super().main(*args, **options)
        except TyperException as error:
            # Without words it was the help that was shown.
            if error.format_message():
                tell(_misused(error))
            code = error.exit_code
        except typer.Abort:
            tell(QTasksError("Aborted.", reason="Aborted"))
            code = 1
        sys.exit(code if isinstance(code, int) else 0)


def _misused(error: TyperException) -> InvalidInput:
    """What is wrong with the words of a command, and how to see what is right."""
    context = getattr(error, "ctx", None)
    near = sorted(getattr(error, "possibilities", None) or ())
    message = error.message if near else error.format_message()
    guess = f"Did you mean {' or '.join(near)}? " if near else ""
    hint = f"{guess}`{context.command_path} --help` shows what there is." if context is not None else guess.strip()
    return InvalidInput(
        f"{message.rstrip('.')}." if message[-1:] not in "?!" else message, reason="UsageError", hint=hint
    )


app = typer.Typer(
    name="qtasks",
    cls=Commands,
    help="The task queue for quantum circuits.\n\nExample: `qtasks run examples/bell.yaml`",
    epilog="Exit codes: 0 done, 1 the job failed, 2 the input was wrong, 3 not permitted, 4 not found, "
    "5 a service could not be reached or the time ran out.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_PANELS: Mapping[str, tuple[ModuleType, ...]] = {
    "Jobs": (run, apply, get, describe, results, plot, logs, wait, cancel, redeliver, delete),
    "Backends and money": (explain, costs, prices),
    "Jobs at a provider": (collect, recover),
    "Who may": (auth,),
    "Running qtasks": (servers, operator, objects, doctor, completion),
}
"""The modules of the commands, as `--help` shows them: in this order, under these titles."""


def _fill() -> None:
    for title, modules in _PANELS.items():
        for module in modules:
            commands, groups = len(app.registered_commands), len(app.registered_groups)
            module.add_to(app)
            for command in app.registered_commands[commands:]:
                command.rich_help_panel = title
            for group in app.registered_groups[groups:]:
                group.rich_help_panel = title


_fill()


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
    """Write an error to stderr: what is wrong, what to do, and the reason code; a process that serves tells it as every
    line of its log."""
    if serving():
        log.critical("%s", error.message, extra={"reason": error.reason, "hint": error.hint})
        return
    hint = f"\n{error.hint}" if error.hint else ""
    sys.stderr.write(f"qtasks: {error.message}{hint} [{error.reason}]\n")


def exit_code(error: QTasksError) -> int:
    """The exit code that an error stands for; 1 for what is no fault of caller, job or service."""
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 1)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0]
