"""The commands that say what is installed here, and whether it works: doctor, version."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from qtasks.cli.outputs import output
from qtasks.cli.terminal import console, show, width, write
from qtasks.errors import InvalidInput, QTasksError, Unavailable

if TYPE_CHECKING:
    from qtasks.client.checks.finding import Finding


def add_to(app: typer.Typer) -> None:
    """Put these commands on `app`."""
    for command in (doctor, version):
        app.command()(command)


def doctor(
    accounts: Annotated[
        bool, typer.Option("--accounts", help="Ask each provider, too, whether it lets the account in.")
    ] = False,
    format: Annotated[  # noqa: A002 - the option's name
        str | None, typer.Option("--output", "-o", metavar="FORMAT", help="json, yaml or jsonpath=TEMPLATE.")
    ] = None,
) -> None:
    """Try everything that qtasks works with here: services, clocks, accounts, workers, the sandbox's layers.

    Nothing is started, and nothing left behind. Exit code 0 also with warnings, 5 when a part fails, 2 when only what
    was set is wrong.

    Example: `qtasks doctor --accounts`
    """
    chosen = output(format)
    if chosen.format in ("wide", "name"):
        raise InvalidInput(
            f"doctor has no output {chosen.format}.", reason="InvalidOutput", hint="Use -o json or yaml."
        )
    from qtasks.cli.table import table
    from qtasks.client.checks.finding import worst
    from qtasks.client.health import examine
    from qtasks.settings import settings

    found = list(examine(settings(), accounts=accounts))
    if chosen.tabular:
        rows = [[one.part, one.mark.value, _said(one)] for one in found]
        show(table(["PART", "MARK", "FOUND"], rows, width=width(console()), wrap=True))
    else:
        document = {"kind": "Examination", "metadata": {}, "items": [asdict(one) for one in found]}
        write(chosen.text(document))
    if code := worst(found):
        raise _verdict(found, code)


def _verdict(found: list[Finding], code: int) -> QTasksError:
    failing = [one.part for one in found if one.mark.exit_code]
    said = f"{len(failing)} of {len(found)} parts {'fail' if code == 5 else 'are set wrongly'}: {', '.join(failing)}."
    return Unavailable(said, reason="PartsFail") if code == 5 else InvalidInput(said, reason="PartsSetWrongly")


def _said(one: Finding) -> str:
    return f"{one.detail.rstrip('.')}. {one.hint}" if one.hint else one.detail


def version() -> None:
    """Show the versions of qtasks and Qiskit.

    Example: `qtasks version`
    """
    from qtasks.results import versions

    found = versions()
    for package in ("qtasks", *sorted(set(found) - {"qtasks"})):
        write(f"{package} {found[package]}\n")
