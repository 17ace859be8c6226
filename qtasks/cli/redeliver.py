"""The command that has results delivered again: redeliver."""

from __future__ import annotations

import typer

from qtasks.cli import names, terminal
from qtasks.cli.nouns import names as words_of
from qtasks.cli.options import DEFAULT_NAMESPACE, Names, Namespace


def add_to(app: typer.Typer) -> None:
    """Put the command on `app`."""
    app.command()(redeliver)


def redeliver(what: Names, namespace: Namespace = DEFAULT_NAMESPACE) -> None:
    """Have results delivered again to the output of their jobs.

    As after a secret was corrected or a bucket made. No circuit is run again; `qtasks describe` shows in the condition
    OutputDelivered how it goes.

    Example: `qtasks redeliver my-quantum-job`
    """
    wanted = words_of(what)
    with terminal.client(namespace) as client:
        for job in names.jobs(client, wanted):
            job.redeliver()
            terminal.write(f"qiskitjob/{job.name} is delivered again\n")
