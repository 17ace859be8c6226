"""The command that deletes things: delete."""

from __future__ import annotations

import typer

from qtasks.cli import terminal
from qtasks.cli.nouns import Kind, after_noun
from qtasks.cli.options import DEFAULT_NAMESPACE, Namespace, SessionNames
from qtasks.errors import InvalidInput


def add_to(app: typer.Typer) -> None:
    """Put the command on `app`."""
    app.command()(delete)


def delete(what: SessionNames, namespace: Namespace = DEFAULT_NAMESPACE) -> None:
    """Delete sessions: they take no more jobs, and are closed at their provider.

    Jobs that are at the provider run to their end there. Deleting twice is harmless.

    Example: `qtasks delete session vqe-run`
    """
    kind, names = after_noun(what)
    if kind is not Kind.SESSIONS:
        raise InvalidInput(
            f"This version of qtasks deletes sessions only, not {kind}.",
            reason="KindNotServed",
            hint="`qtasks cancel` ends jobs." if kind is Kind.JOBS else "Accounts are kept in QTASKS_CONFIG.",
        )
    if not names:
        raise InvalidInput("Say which sessions: `qtasks delete session NAME…`.")
    with terminal.client(namespace) as client:
        for name in names:
            client.delete_session(name)
            terminal.write(f"qiskitsession/{name} deleted\n")
