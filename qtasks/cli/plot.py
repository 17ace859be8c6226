"""The command that draws what jobs gave, or their circuit: plot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qtasks.cli import terminal
from qtasks.cli.names import job as find
from qtasks.cli.nouns import names
from qtasks.cli.options import DEFAULT_NAMESPACE, Names, Namespace
from qtasks.errors import InvalidInput

if TYPE_CHECKING:
    from qtasks.client import Client, Job

_SUFFIXES = (".png", ".svg", ".pdf")
_MOST_JOBS = 8
_MARGIN = 8
"""Lines of a terminal that are left for the titles, the rest and the prompt."""


def add_to(app: typer.Typer) -> None:
    """Put the command on `app`."""
    app.command()(plot)


def plot(
    what: Names,
    namespace: Namespace = DEFAULT_NAMESPACE,
    file: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Draw into a file: .png, .svg or .pdf.")
    ] = None,
    circuit: Annotated[bool, typer.Option("--circuit", help="Draw the circuit, not the result.")] = False,
    top: Annotated[
        int | None,
        typer.Option("--top", metavar="N", min=1, help="So many outcomes, the most frequent; the rest in one line."),
    ] = None,
) -> None:
    """Draw the counts of jobs as a histogram, or the expectation values of an estimator with their errors.

    In the terminal as wide as it is, or into a file. Several jobs stand side by side, for comparison, as shares of
    their shots. Circuits are read in the sandbox.

    Examples:

    - `qtasks plot my-quantum-job`

    - `qtasks plot ideal noisy -o comparison.svg`

    - `qtasks plot my-quantum-job --circuit`
    """
    wanted = names(what)
    if file is not None and file.suffix not in _SUFFIXES:
        raise InvalidInput(
            f"{file} is no name of a picture.", reason="InvalidFile", hint=f"It ends with {', '.join(_SUFFIXES)}."
        )
    if circuit and (len(wanted) > 1 or top is not None):
        raise InvalidInput("--circuit draws one job's circuit, and has no outcomes for --top.")
    if len(wanted) > _MOST_JOBS:
        raise InvalidInput(f"At most {_MOST_JOBS} jobs can be told apart in one picture.")
    with terminal.client(namespace) as client:
        jobs = [find(client, each) for each in wanted]
        if circuit:
            _circuit(client, jobs[0], file)
        else:
            _results(jobs, file, top)


def _results(jobs: list[Job], file: Path | None, top: int | None) -> None:
    from qtasks.cli.results import require_final

    for job in jobs:
        require_final(job)
    found = [(job.name, job.result(timeout=5)) for job in jobs]
    if file is not None:
        from qtasks.cli.pictures import picture

        _save(file, picture(found, file.suffix[1:], top=top))
        return
    from qtasks.cli.charts import charts

    out = terminal.console()
    rows = top or max(4, (out.height - _MARGIN if out.is_terminal else 16) // len(jobs))
    terminal.show(charts(found, width=terminal.width(out) or terminal.PLAIN_WIDTH, rows=rows, chosen=top is not None))


def _circuit(client: Client, job: Job, file: Path | None) -> None:
    from qtasks.cli.circuits import circuits_of
    from qtasks.cli.drawing import picture_of, text_of

    with terminal.busy("Reading the circuit…"):
        circuits = circuits_of(client.describe(job.job_id()))
    if file is not None:
        with terminal.busy("Drawing…"):
            data = picture_of(circuits, file.suffix[1:])
        _save(file, data)
        return
    terminal.write(text_of(circuits, terminal.width(terminal.console())))


def _save(file: Path, data: bytes) -> None:
    from qtasks.cli import writing

    writing.put(file, data)
    terminal.note(f"Wrote {file} ({len(data)} bytes).")
