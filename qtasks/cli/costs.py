"""The command that says what jobs cost: costs."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer

from qtasks.cli import terminal
from qtasks.cli.options import DEFAULT_NAMESPACE, Namespace
from qtasks.cli.outputs import Output
from qtasks.errors import InvalidInput


class Format(StrEnum):
    """What `-o` may be."""

    CSV = "csv"
    JSON = "json"
    YAML = "yaml"


def add_to(app: typer.Typer) -> None:
    """Put the command on `app`."""
    app.command()(costs)


_TIME = "A date or time as ISO 8601 has it, in UTC, or an age such as 7d or 12h."


def costs(
    by: Annotated[
        str,
        typer.Option(
            metavar="GROUP", help="namespace, cost-center, backend, account, label=KEY, month (of UTC) or job."
        ),
    ] = "namespace",
    since: Annotated[str | None, typer.Option(metavar="T", help=f"From then on. {_TIME}")] = None,
    until: Annotated[str | None, typer.Option(metavar="T", help=f"Until just before then. {_TIME}")] = None,
    namespace: Namespace = DEFAULT_NAMESPACE,
    all_namespaces: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Those of all namespaces.")] = False,
    output: Annotated[Format | None, typer.Option("--output", "-o", help="Print the figures in this form.")] = None,
) -> None:
    """Show what jobs cost.

    SPENT is what was charged by the provider's own figures, RESERVED the most that jobs which are not settled yet can
    cost. A job counts when its cost was reserved, as in budgets. UNPRICED are attempts of which nobody knows the price.
    Amounts are exact to a micro-dollar; where the ledger and what was charged do not agree, that is told.

    Examples:

    - `qtasks costs --by cost-center --since 2026-11-01`

    - `qtasks costs -A --by label=team -o csv`
    """
    from qtasks.cli.ages import now
    from qtasks.client.recovery import moment

    group = f"label:{by.removeprefix('label=')}" if by.startswith("label=") else by
    start, end = (None if text is None else moment(text, now=now()) for text in (since, until))
    if start is not None and end is not None and end <= start:
        raise InvalidInput("--until is not after --since.", reason="InvalidTime")
    with terminal.client(namespace) as client:
        groups = client.costs(group, since=start, until=end, all_namespaces=all_namespaces)
        wrong = client.discrepancies()
    if output is Format.CSV:
        from qtasks.cli.cost_table import csv_text

        terminal.put(csv_text(group, groups))
    elif output is not None:
        from qtasks.cli.cost_table import document

        where = None if all_namespaces else namespace
        found = document(group, groups, namespace=where, since=_text(start), until=_text(end), discrepancies=wrong)
        terminal.put(Output(output.value).text(found))
    elif groups:
        from qtasks.cli.cost_table import cost_table

        terminal.show(cost_table(group, groups, width=terminal.width(terminal.console())))
    else:
        where = "" if all_namespaces else f" in namespace {namespace}"
        terminal.note(f"Nothing was charged{where}{_period(start, end)}.")
    if wrong:
        terminal.note("The books do not agree:")
        for sentence in wrong:
            terminal.note(f"- {sentence}")


def _text(moment: datetime | None) -> str | None:
    from qtasks.results import timestamp

    return None if moment is None else timestamp(moment)


def _period(start: datetime | None, end: datetime | None) -> str:
    since = f" since {start:%Y-%m-%d %H:%M}" if start is not None else ""
    return f"{since}{f' until {end:%Y-%m-%d %H:%M}' if end is not None else ''}"
