"""The command that shows or saves what jobs gave: results."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qtasks.cli import terminal
from qtasks.cli.names import job as find
from qtasks.cli.nouns import names
from qtasks.cli.options import DEFAULT_NAMESPACE, Names, Namespace
from qtasks.errors import InvalidInput, JobFailed, WaitTimeout

if TYPE_CHECKING:
    from qtasks.client import Client, Job
    from qtasks.results import JobResult

_STDOUT = Path("-")


class Format(StrEnum):
    """How a result may be written; the word is the extension of a file in it."""

    JSON = "json"
    CSV = "csv"
    QPY = "qpy"
    PICKLE = "pickle"


_BINARY = (Format.QPY, Format.PICKLE)
_BY_SUFFIX: Mapping[str, Format] = {**{f".{form}": form for form in Format}, ".pkl": Format.PICKLE}


def add_to(app: typer.Typer) -> None:
    """Put the command on `app`."""
    app.command()(results)


def results(
    what: Names,
    namespace: Namespace = DEFAULT_NAMESPACE,
    form: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="How to write it; when absent as FILE ends, else a histogram on a terminal, json elsewhere.",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE|FOLDER|-", help="Where to; of several jobs, a folder for a file each."
        ),
    ] = None,
) -> None:
    """Show or save the results of Completed jobs.

    A file is written in one piece or not at all. `qpy` and `pickle` are bytes, which a terminal is spared; unpickle
    only what you trust.

    Examples:

    - `qtasks results my-quantum-job`

    - `qtasks results my-quantum-job --format csv -o counts.csv`

    - `qtasks results my-quantum-job -o result.qpy`

    - `qtasks results vqe-1 vqe-2 vqe-3 --format csv -o results/`
    """
    if file is not None and str(file) in list(Format):
        # Everywhere else -o is a format, and nobody wants a file of such a name.
        form, file = Format(str(file)), None
    wanted = names(what)
    drawn = form is None and file is None and terminal.console().is_terminal
    chosen = form or _format_of(file)
    _require_place(chosen, file, several=len(wanted) > 1, drawn=drawn)
    with terminal.client(namespace) as client:
        jobs = [find(client, each) for each in wanted]
        for job in jobs:
            require_final(job)
        if drawn:
            _show(client, jobs)
        elif file is None or file == _STDOUT:
            for job in jobs:
                sys.stdout.buffer.write(_rendered(job, chosen))
        elif len(jobs) > 1 or file.is_dir():
            _save_all(jobs, chosen, file)
        else:
            _save(jobs[0], chosen, file)


def _format_of(file: Path | None) -> Format:
    return _BY_SUFFIX.get(file.suffix, Format.JSON) if file is not None else Format.JSON


def _require_place(form: Format, file: Path | None, *, several: bool, drawn: bool) -> None:
    if several and not drawn and (file is None or file == _STDOUT or file.is_file()):
        raise InvalidInput(
            "Results of several jobs go into a folder, a file each.", hint="Give -o FOLDER, or one job at a time."
        )
    # Whoever writes `-o -` means it.
    if form in _BINARY and file is None and sys.stdout.isatty():
        raise InvalidInput(
            f"A result as {form} is bytes, which a terminal cannot show.",
            reason="BinaryOutput",
            hint=f"Write it to a file with -o result.{form}, or pipe it on.",
        )


def require_final(job: Job) -> None:
    """Raise WaitTimeout (`ResultNotReady`) for a job that goes on."""
    phase = job.status()
    if not phase.final:
        raise WaitTimeout(
            f"Job {job.name} is {phase.value} and has no result yet.",
            reason="ResultNotReady",
            hint=f"`qtasks wait {job.name}` waits for it.",
        )


def _result(job: Job) -> JobResult:
    return job.result(timeout=5)


def _rendered(job: Job, form: Format) -> bytes:
    from qtasks.results.formats import render

    circuit = None
    if form is Format.QPY:
        from qtasks.cli.circuits import qpy_of

        circuit = qpy_of(job.to_dict())
    return render(_result(job), form.value, circuit)


def _save(job: Job, form: Format, file: Path) -> None:
    from qtasks.cli import writing

    data = _rendered(job, form)
    writing.put(file, data)
    terminal.note(f"Wrote {file} ({len(data)} bytes).")


def _save_all(jobs: Sequence[Job], form: Format, folder: Path) -> None:
    """A file for each job, named like it; those that failed are told at the end."""
    from qtasks.cli import writing
    from qtasks.cli.follow import progress

    writing.folder(folder)
    bad: list[JobFailed] = []
    taken: set[str] = set()
    with progress(len(jobs)) as (say, advance):
        for job in jobs:
            # Two namespaces may have a job of one name.
            name = job.name if job.name not in taken else job.job_id()
            taken.add(name)
            try:
                writing.put(folder / f"{name}.{form.value}", _rendered(job, form))
            except JobFailed as error:
                bad.append(error)
            else:
                say(f"{folder / name}.{form.value}")
            advance()
    if bad:
        raise JobFailed(
            f"{len(bad)} of {len(jobs)} jobs have no result: {bad[0].message}", reason=bad[0].reason, hint=bad[0].hint
        )


def _show(client: Client, jobs: Sequence[Job]) -> None:
    from qtasks.cli.report import result_text, summary

    out = terminal.console()
    for number, job in enumerate(jobs):
        result, document = _result(job), client.describe(job.job_id())
        if number:
            out.print()
        out.print(result_text(result, out.width))
        out.print()
        out.print(summary(document, width=out.width))
