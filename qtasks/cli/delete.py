"""The command that deletes things: delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer

from qtasks.cli import terminal
from qtasks.cli.nouns import Kind, after_noun
from qtasks.cli.options import DEFAULT_NAMESPACE, Deleted, Namespace
from qtasks.errors import InvalidInput

if TYPE_CHECKING:
    from qtasks.client import Client


def add_to(app: typer.Typer) -> None:
    """Put the command on `app`."""
    app.command()(delete)


def delete(what: Deleted, namespace: Namespace = DEFAULT_NAMESPACE) -> None:
    """Delete sessions, budgets, or backends that were registered by hand.

    A session takes no more jobs and is closed at its provider; jobs that are there run to their end, and deleting it
    twice is harmless. Jobs that waited for a budget go on; what was charged stays in the ledger. Jobs that run on a
    backend go on.

    Examples:

    - `qtasks delete session vqe-run`

    - `qtasks delete budget research`
    """
    kind, names = after_noun(what)
    if kind not in _DELETERS:
        raise InvalidInput(
            f"Sessions, budgets and backends can be deleted, {kind} cannot.",
            reason="KindNotServed",
            hint="A job and its result are kept; `qtasks cancel` ends one."
            if kind is Kind.JOBS
            else "Accounts are kept in QTASKS_CONFIG.",
        )
    if not names:
        raise InvalidInput(f"Say which {kind}: `qtasks delete {kind.removesuffix('s')} NAME…`.")
    with terminal.client(namespace) as client:
        for name in names:
            _DELETERS[kind](client, name)
            terminal.write(f"qiskit{kind.removesuffix('s')}/{name} deleted\n")


_DELETERS: dict[Kind, Callable[[Client, str], Any]] = {
    Kind.SESSIONS: lambda client, name: client.delete_session(name),
    Kind.BUDGETS: lambda client, name: client.delete_budget(name),
    Kind.BACKENDS: lambda client, name: client.delete_backend(name),
}
