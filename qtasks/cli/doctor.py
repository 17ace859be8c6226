"""The commands that say what is installed here, and whether it works: doctor, version."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from qtasks.cli.outputs import output
from qtasks.cli.terminal import console, show, width, write
from qtasks.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from qtasks.client.health import Finding

_WORDS = {True: "ok", False: "FAILS", None: "-"}


def add_to(app: typer.Typer) -> None:
    """Put these commands on `app`."""
    for command in (doctor, version):
        app.command()(command)


def doctor(
    format: Annotated[  # noqa: A002 - the option's name
        str | None, typer.Option("--output", "-o", metavar="FORMAT", help="json, yaml or jsonpath=TEMPLATE.")
    ] = None,
) -> None:
    """Try everything that qtasks works with here: services, programs, the sandbox's layers.

    Nothing is started, and nothing left behind. Exit code 5 when a part fails.

    Example: `qtasks doctor`
    """
    chosen = output(format)
    if chosen.format in ("wide", "name"):
        raise InvalidInput(
            f"doctor has no output {chosen.format}.", reason="InvalidOutput", hint="Use -o json or yaml."
        )
    from qtasks.cli.table import table
    from qtasks.client.health import examine
    from qtasks.settings import settings

    found = list(examine(settings()))
    if chosen.tabular:
        rows = [[one.part, _WORDS[one.ok], _said(one)] for one in found]
        show(table(["PART", "STATE", "FOUND"], rows, width=width(console()), wrap=True))
    else:
        document = {"kind": "Examination", "metadata": {}, "items": [asdict(one) for one in found]}
        write(chosen.text(document))
    if failing := [one.part for one in found if one.ok is False]:
        raise Unavailable(f"{len(failing)} of {len(found)} parts fail: {', '.join(failing)}.", reason="PartsFail")


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
