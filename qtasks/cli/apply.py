"""The command that submits what files say: apply."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qtasks.cli import files, known_names, terminal
from qtasks.cli.nouns import Kind
from qtasks.cli.options import ApiKeyIndex, JobsFile, OwnNamespace
from qtasks.cli.outputs import Document, Output, listing, reference
from qtasks.errors import Conflict, InvalidInput

if TYPE_CHECKING:
    from qtasks.cli.files import Kept
    from qtasks.client import Client, Job
    from qtasks.resources import QiskitJob, Resource


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
        list[str],
        typer.Option(
            "--filename",
            "-f",
            metavar="FILE|FOLDER|-",
            help="YAML or JSON; `-` for stdin; a folder's files. Repeatable.",
        ),
    ],
    recursive: Annotated[bool, typer.Option("--recursive", "-R", help="Also the files of folders below.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check only; all four kinds can be checked.")] = False,
    namespace: OwnNamespace = None,
    submit_all: Annotated[
        bool,
        typer.Option(
            "--submit-all",
            help="Spread jobs at a provider that name no account over all its accounts: in turn, that with most left "
            "first. Writes a jobs file.",
        ),
    ] = False,
    api_key_index: ApiKeyIndex = None,
    jobs_file: JobsFile = None,
    output: Annotated[Format | None, typer.Option("--output", "-o", help="Print what there is in this form.")] = None,
) -> None:
    """Submit the jobs of files, all or none; keep their backends and budgets, and declare their sessions.

    A backend or budget is `created`, `unchanged`, or `configured` when it was there with another spec. A job that is
    there already with the same spec is `unchanged`; with another spec it is refused, since a job's spec never changes.
    Returns at once; `qtasks wait` waits, and `qtasks collect` collects. With --submit-all and without --jobs-file the
    jobs file is `submitted_jobs_YYYYMMDD_HHMMSS.jsonl` in this folder.

    Examples:

    - `qtasks apply -f examples/bell.yaml`

    - `qtasks apply -f budget.yaml -n research`

    - `qtasks apply -R -f experiments/`

    - `qtasks apply --dry-run -f job.yaml -f budget.yaml`

    - `qtasks get jobs vqe -n lab -o yaml | qtasks apply -f - --dry-run`

    - `qtasks apply -f experiments.yaml --submit-all --jobs-file submitted.jsonl`
    """
    if submit_all and api_key_index is not None:
        raise InvalidInput("--submit-all takes all accounts, --api-key-index one: give one of the two.")
    found = files.resources(filename, recursive=recursive)
    if dry_run:
        _print_checked(found, output)
        return
    kept, jobs = files.kept_and_jobs(found, namespace)
    file = _file(jobs_file, submit_all)
    with terminal.client(namespace) as client:
        placed = _placed(client, jobs, namespace, submit_all, api_key_index)
        fates = [_keep(client, resource, namespace) for resource in kept]
        submitted = _submitted(client, placed, namespace)
        if file is not None:
            from qtasks.client.placing import write_lines

            write_lines(client, submitted, file)
        if output in (Format.JSON, Format.YAML):
            documents = [_document(client, resource, namespace) for resource in kept]
            _print([*documents, *(client.describe(job.job_id()) for job in submitted)], output)
        else:
            _print_names(kept, fates, submitted, quiet=output is not None)
    if file is not None:
        terminal.note(f"Wrote {file}; `qtasks collect --jobs-file {file}` collects the results.")


def _submitted(client: Client, jobs: Sequence[QiskitJob], namespace: str | None) -> list[Job]:
    """The jobs' handles; a refusal because of another spec says where the two differ."""
    if not jobs:
        return []
    try:
        with terminal.busy(f"Submitting {len(jobs)} job{'' if len(jobs) == 1 else 's'}…"):
            submitted = client.submit_many(jobs, namespace=namespace)
    except Conflict as error:
        if error.reason != "JobExists" or "job_id" not in error.details:
            raise
        from qtasks.cli.differences import differences

        there = client.describe(error.details["job_id"])
        new = next((job for job in jobs if job.metadata.name == there["metadata"]["name"]), None)
        lines = [] if new is None else differences(there, new)
        hint = "\n".join([*(f"  {line}" for line in lines), error.hint])
        raise Conflict(error.message, reason=error.reason, hint=hint, details=error.details) from None
    for job in submitted:
        known_names.remember(Kind.JOBS, job.namespace, [job.name])
    return submitted


def _file(given: Path | None, submit_all: bool) -> Path | None:
    """The jobs file, known to be readable and writable before anything is submitted."""
    if given is None and not submit_all:
        return None
    from qtasks.client import jobs_file

    file = given or jobs_file.name_of_new("submitted_jobs", ".jsonl", Path())
    jobs_file.require_writable(file)
    if file.exists():
        jobs_file.read(file)
    return file


def _placed(
    client: Client, jobs: Sequence[QiskitJob], namespace: str | None, submit_all: bool, index: int | None
) -> Sequence[QiskitJob]:
    from qtasks.client.placing import spread_over_accounts, under_index

    if submit_all:
        return spread_over_accounts(client, jobs, namespace)
    return jobs if index is None else under_index(client, jobs, index, namespace)


def _keep(client: Client, resource: Kept, namespace: str | None) -> str:
    from qtasks.resources import QiskitBackend, QiskitBudget

    if isinstance(resource, QiskitBackend):
        return client.apply_backend(resource, namespace=namespace)
    if isinstance(resource, QiskitBudget):
        return client.apply_budget(resource, namespace=namespace)
    return client.apply_session(resource, namespace=namespace)


def _document(client: Client, resource: Kept, namespace: str | None) -> Document:
    from qtasks.resources import QiskitBackend, QiskitBudget, dump

    if isinstance(resource, QiskitBackend):
        return dump(resource)
    own = resource.metadata.namespace if "namespace" in resource.metadata.model_fields_set else None
    find = client.budget if isinstance(resource, QiskitBudget) else client.session
    return find(str(resource.metadata.name), namespace=namespace or own)


def _print_names(kept: Sequence[Kept], fates: Sequence[str], submitted: Sequence[Job], *, quiet: bool) -> None:
    for resource, fate in zip(kept, fates, strict=True):
        terminal.write(f"{resource.kind.lower()}/{resource.metadata.name}{'' if quiet else f' {fate}'}\n")
    for job in submitted:
        fate = "" if quiet else " created" if job.created else " unchanged"
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
