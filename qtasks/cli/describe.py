"""The commands that tell of single things: describe, logs, results."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qtasks.cli import terminal
from qtasks.cli.nouns import Kind, name, of_any_kind
from qtasks.cli.options import DEFAULT_NAMESPACE, Name, Namespace, Things
from qtasks.errors import InvalidInput, WaitTimeout

if TYPE_CHECKING:
    from rich.text import Text

    from qtasks.client import Client


class Format(StrEnum):
    """How a result may be written."""

    JSON = "json"
    CSV = "csv"


def add_to(app: typer.Typer) -> None:
    """Put these commands on `app`."""
    for command in (describe, results, logs):
        app.command()(command)


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
            wanted = [client.job(each).job_id() for each in wanted]
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


def results(
    what: Name,
    namespace: Namespace = DEFAULT_NAMESPACE,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="How to write it; when absent, a histogram on a terminal and json elsewhere."),
    ] = None,
    file: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write it.")] = None,
) -> None:
    """Show or save the result of a Completed job.

    Examples:

    - `qtasks results my-quantum-job`

    - `qtasks results my-quantum-job --format csv -o counts.csv`
    """
    if file is not None and str(file) in list(Format):
        # Everywhere else -o is a format, and nobody wants a file of such a name.
        form, file = Format(str(file)), None
    wanted = name(what)
    with terminal.client(namespace) as client:
        job = client.job(wanted)
        phase = job.status()
        if not phase.final:
            raise WaitTimeout(
                f"Job {job.name} is {phase.value} and has no result yet.",
                reason="ResultNotReady",
                hint=f"`qtasks wait {job.name}` waits for it.",
            )
        result = job.result(timeout=5)
        document = client.describe(job.job_id())
    if form is None and file is None and terminal.console().is_terminal:
        _show(result, document)
    else:
        _save(result, form or _format_of(file), file)


def _show(result: Any, document: Any) -> None:
    from qtasks.cli.report import result_text, summary

    out = terminal.console()
    out.print(result_text(result, out.width))
    out.print()
    out.print(summary(document, width=out.width))


def _format_of(file: Path | None) -> Format:
    return Format.CSV if file is not None and file.suffix == ".csv" else Format.JSON


def _save(result: Any, form: Format, file: Path | None) -> None:
    from qtasks.results.formats import render

    data = render(result, form.value)
    if file is None:
        sys.stdout.write(data.decode())
        return
    try:
        file.write_bytes(data)
    except OSError as error:
        raise InvalidInput(f"{file} cannot be written: {error.strerror}.", reason="FileNotWritable") from None
    terminal.note(f"Wrote {file} ({len(data)} bytes).")


def logs(
    what: Name,
    namespace: Namespace = DEFAULT_NAMESPACE,
    wait: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job is final.")] = False,
) -> None:
    """Show what happened to a job.

    A line for each event, with its time in UTC.

    Example: `qtasks logs -f my-quantum-job`
    """
    from qtasks.cli.follow import follow
    from qtasks.cli.report import log_line

    wanted = name(what)
    with terminal.client(namespace) as client:
        job = client.job(wanted)
        if wait:
            follow(client, job, lambda event: terminal.write(log_line(event)))
        else:
            terminal.write("".join(map(log_line, client.events(job.job_id()))))
