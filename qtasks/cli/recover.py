"""The command that finds provider jobs which no row knows: recover."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from qtasks.cli import terminal
from qtasks.cli.options import DEFAULT_NAMESPACE, Namespace

if TYPE_CHECKING:
    from qtasks.client.recovery import Found


class Format(StrEnum):
    """What `-o` may be."""

    JSON = "json"


def add_to(app: typer.Typer) -> None:
    """Put the command on `app`."""
    app.command()(recover)


def recover(
    account: Annotated[str, typer.Option("--account", metavar="NAME", help="The account to look through.")],
    since: Annotated[
        str,
        typer.Option(metavar="T", help="A date or time as ISO 8601 has it, in UTC, or an age such as 7d or 12h."),
    ],
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Make jobs of those whose own job is lost or has ended.")
    ] = False,
    namespace: Namespace = DEFAULT_NAMESPACE,
    output: Annotated[Format | None, typer.Option("--output", "-o", help="Print one object and nothing else.")] = None,
) -> None:
    """Find jobs at a provider that carry a tag of qtasks and that no row knows.

    After a database was lost, for one. Asks the provider from here, with the account's secret. An adopted job is
    collected like any other, under the id that it had; running it twice adopts nothing twice. What a job that goes on
    looks for itself is only told of.

    Examples:

    - `qtasks recover --account lab-open --since 7d`

    - `qtasks recover --account lab-open --since 2026-11-20T09:00 --adopt`
    """
    from qtasks.cli.ages import now
    from qtasks.client import recovery
    from qtasks.client.accounts import called

    start = recovery.moment(since, now=now())
    with terminal.client(namespace) as client:
        where = called(client, account, namespace)
        with terminal.busy(f"Asking {where.provider.value}…"):
            found = recovery.find(client, where, start)
        made = recovery.adopt_found(client, where, found) if adopt else []
    if output is not None:
        document = {"items": [recovery.document(one) for one in found]}
        terminal.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        return
    if not found:
        terminal.note(f"Every job of qtasks at account {account} since {start:%Y-%m-%d %H:%M} UTC is known.")
        return
    _show(found)
    if adopt:
        terminal.note(f"Adopted {len(made)} of {len(found)}; `qtasks collect --poll-all` collects them.")
    elif any(not one.wanted for one in found):
        terminal.note("`--adopt` makes jobs of those whose own job is lost or has ended.")


def _show(found: Sequence[Found]) -> None:
    from qtasks.cli.ages import age, now
    from qtasks.cli.job_table import NOTHING
    from qtasks.cli.table import table
    from qtasks.results import timestamp

    rows = [
        [
            one.job.id,
            one.job.device or NOTHING,
            one.job.state.value,
            NOTHING if one.job.created_at is None else age(timestamp(one.job.created_at), now()),
            one.known,
            one.tag,
        ]
        for one in found
    ]
    width = terminal.width(terminal.console())
    least = {"ID": 20, "DEVICE": 8, "TAG": 8}
    terminal.show(table(("ID", "DEVICE", "STATE", "AGE", "JOB", "TAG"), rows, width=width, least=least, close=True))
