"""The command that submits the jobs of files: apply."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from qtasks.cli import files, terminal
from qtasks.cli.options import OwnNamespace
from qtasks.cli.outputs import Document, Output, listing, reference

if TYPE_CHECKING:
    from qtasks.resources import Resource


class Format(StrEnum):
    """What `-o` may be."""

    JSON = "json"
    YAML = "yaml"
    NAME = "name"


def add_to(app: typer.Typer) -> None:
    """Put the command on `app`."""
    app.command()(apply)


def apply(
    filename: Annotated[
        list[str], typer.Option("--filename", "-f", metavar="FILE|-", help="YAML or JSON; `-` for stdin. Repeatable.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check only; all four kinds can be checked.")] = False,
    namespace: OwnNamespace = None,
    output: Annotated[Format | None, typer.Option("--output", "-o", help="Print the jobs in this form.")] = None,
) -> None:
    """Submit the jobs of files, all or none.

    Returns at once; `qtasks wait` waits. A job that is there already with the same spec is `unchanged`; with another
    spec it is refused, since a job's spec never changes.

    Examples:

    - `qtasks apply -f examples/bell.yaml`

    - `qtasks apply --dry-run -f job.yaml -f budget.yaml`

    - `qtasks get jobs vqe -n lab -o yaml | qtasks apply -f - --dry-run`
    """
    found = files.resources(filename)
    if dry_run:
        _print_checked(found, output)
        return
    jobs = files.jobs(found, namespace)
    with terminal.client(namespace) as client:
        submitted = client.submit_many(jobs, namespace=namespace)
        if output in (Format.JSON, Format.YAML):
            _print([client.describe(job.job_id()) for job in submitted], output)
            return
    for job in submitted:
        fate = "" if output else " created" if job.created else " unchanged"
        terminal.write(f"qiskitjob/{job.name}{fate}\n")


def _print_checked(found: Sequence[Resource], output: Format | None) -> None:
    from qtasks.resources import dump

    documents = [dump(resource) for resource in found]
    if output:
        _print(documents, output)
        return
    for document in documents:
        terminal.write(f"{reference(document)} valid (dry run)\n")


def _print(documents: Sequence[Document], output: Format) -> None:
    document = documents[0] if len(documents) == 1 else listing(documents)
    terminal.write(Output(output.value).text(document))
