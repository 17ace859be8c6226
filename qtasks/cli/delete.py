"""The command that deletes things: delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer

from qtasks.cli import names, terminal
from qtasks.cli.nouns import Kind, after_noun
from qtasks.cli.options import DEFAULT_NAMESPACE, Deleted, Namespace
from qtasks.errors import InvalidInput

if TYPE_CHECKING:
    from qtasks.client import Client


def add_to(app: typer.Typer) -> None:
    """Put the command on `app`."""
    app.command()(delete)


def delete(what: Deleted, namespace: Namespace = DEFAULT_NAMESPACE) -> None:
    """Delete jobs, sessions, budgets, or backends that were registered by hand.

    A job goes with its circuit, events and result, and is cancelled first where it goes on; what it cost stays in the
    books. A session takes no more jobs and is closed at its provider; jobs that are there run to their end, and
    deleting it twice is harmless. Jobs that waited for a budget go on; what was charged stays in the ledger. Jobs that
    run on a backend go on.

    Examples:

    - `qtasks delete job my-quantum-job`

    - `qtasks delete session vqe-run`

    - `qtasks delete budget research`
    """
    kind, wanted = after_noun(what)
    if kind not in _DELETERS:
        raise InvalidInput(
            f"Jobs, sessions, budgets and backends can be deleted, {kind} cannot.",
            reason="KindNotServed",
            hint="Accounts are kept in QTASKS_CONFIG.",
        )
    if not wanted:
        raise InvalidInput(f"Say which {kind}: `qtasks delete {kind.removesuffix('s')} NAME…`.")
    with terminal.client(namespace) as client:
        for name in wanted:
            _DELETERS[kind](client, name)
            terminal.write(f"qiskit{kind.removesuffix('s')}/{name} deleted\n")


_DELETERS: dict[Kind, Callable[[Client, str], Any]] = {
    Kind.JOBS: lambda client, name: names.jobs(client, [name])[0].delete(),
    Kind.SESSIONS: lambda client, name: client.delete_session(name),
    Kind.BUDGETS: lambda client, name: client.delete_budget(name),
    Kind.BACKENDS: lambda client, name: client.delete_backend(name),
}
