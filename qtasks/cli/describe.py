"""The command that tells all of single things: describe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from qtasks.cli import terminal
from qtasks.cli.names import job
from qtasks.cli.nouns import Kind, of_any_kind
from qtasks.cli.options import DEFAULT_NAMESPACE, Namespace, Things

if TYPE_CHECKING:
    from rich.text import Text

    from qtasks.client import Client


def add_to(app: typer.Typer) -> None:
    """Put the command on `app`."""
    app.command()(describe)


def describe(what: Things, namespace: Namespace = DEFAULT_NAMESPACE) -> None:
    """Show all that is known of jobs, budgets, backends, sessions or accounts.

    Of a job: circuit, place in the queue, budget, provider, times, attempts, conditions, counts and events.

    Examples:

    - `qtasks describe job my-quantum-job`

    - `qtasks describe session vqe-run`

    - `qtasks describe account lab-open`

    - `qtasks describe budget research`

    - `qtasks describe backend ibm_fez`
    """
    kind, wanted = of_any_kind(what)
    with terminal.client(namespace) as client:
        if kind is Kind.JOBS:
            wanted = [job(client, each).job_id() for each in wanted]
        for number, each in enumerate(wanted):
            if number:
                terminal.write("\n\n")
            terminal.show(_DESCRIPTIONS[kind](client, each))


def _job(client: Client, job_id: str) -> Text:
    from qtasks.cli.ages import now
    from qtasks.cli.description import description

    width = terminal.width(terminal.console())
    return description(client.describe(job_id, queues=True), client.events(job_id), now=now(), width=width)


def _session(client: Client, name: str) -> Text:
    from qtasks.cli.ages import now
    from qtasks.cli.descriptions import session_description

    return session_description(client.session(name), now=now(), width=terminal.width(terminal.console()))


def _account(client: Client, name: str) -> Text:
    from qtasks.cli.ages import now
    from qtasks.cli.descriptions import account_description
    from qtasks.cli.get import accounts

    (found,) = accounts(client, everywhere=False, names=[name])
    return account_description(found, now=now(), width=terminal.width(terminal.console()))


def _budget(client: Client, name: str) -> Text:
    from qtasks.cli.ages import now
    from qtasks.cli.descriptions import budget_description

    return budget_description(client.budget(name), now=now(), width=terminal.width(terminal.console()))


def _backend(client: Client, name: str) -> Text:
    from rich.text import Text

    from qtasks.cli.ages import now
    from qtasks.cli.descriptions import backend_description

    width = terminal.width(terminal.console())
    return Text("\n\n").join(backend_description(one, now=now(), width=width) for one in client.backend(name))


_DESCRIPTIONS = {
    Kind.JOBS: _job,
    Kind.SESSIONS: _session,
    Kind.ACCOUNTS: _account,
    Kind.BUDGETS: _budget,
    Kind.BACKENDS: _backend,
}
