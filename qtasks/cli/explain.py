"""The commands that say where jobs run, and why: explain, estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qtasks.cli import files, terminal
from qtasks.cli.names import job
from qtasks.cli.nouns import name
from qtasks.cli.options import DEFAULT_NAMESPACE, Name, Namespace, OwnNamespace
from qtasks.cli.outputs import Output, listing
from qtasks.errors import InvalidInput

if TYPE_CHECKING:
    from qtasks.resources import BackendSelection


class Format(StrEnum):
    """What `-o` may be."""

    JSON = "json"
    YAML = "yaml"


Form = Annotated[Format | None, typer.Option("--output", "-o", help="Print the figures in this form.")]


def add_to(app: typer.Typer) -> None:
    """Put these commands on `app`."""
    for command in (explain, estimate):
        app.command()(command)


def explain(what: Name, namespace: Namespace = DEFAULT_NAMESPACE, output: Form = None) -> None:
    """Show why a job runs where it does.

    A line for each device that it might have run on: its score from 0 to 1 and what that is made of, the price, the
    wait and the expected fidelity of this circuit there (`~`: not compiled for it), and why it was not used. The chosen
    one is marked with `*`. Below: the weights of the scores, and how wrong past estimates of starts were.

    Example: `qtasks explain my-quantum-job`
    """
    wanted = name(what)
    with terminal.client(namespace) as client:
        job_id = job(client, wanted).job_id()
        found = client.explain(job_id)
        spec = client.describe(job_id)["spec"]
    document = _shown(found, _weights(spec))
    if output is not None:
        terminal.put(Output(output.value).text(document))
        return
    from qtasks.cli.selection_table import explanation_text

    terminal.show(explanation_text(document, width=terminal.width(terminal.console())))


def estimate(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="A job (.yaml), or a circuit as OpenQASM 2 or 3 (.qasm) or QPY (.qpy)."),
    ] = None,
    filename: Annotated[
        list[str] | None,
        typer.Option("--filename", "-f", metavar="FILE|-", help="Jobs, as for `apply`; `-` for stdin. Repeatable."),
    ] = None,
    shots: Annotated[
        int | None, typer.Option(metavar="N", help="How often a circuit is executed, 1 to 100000.")
    ] = None,
    backend: Annotated[
        str | None, typer.Option(metavar="TYPE", help="Where a circuit runs: local_simulator, ibm_quantum, …")
    ] = None,
    namespace: OwnNamespace = None,
    output: Form = None,
) -> None:
    """Show what jobs would run on, and cost, if they were submitted now.

    The same table as `qtasks explain` shows, with cost and time, before anything is submitted. Circuits are read here:
    what a Python source gives is known only when the sandbox has run it.

    Examples:

    - `qtasks estimate -f job.yaml`

    - `qtasks estimate circuit.qasm --shots 4000 --backend ibm_quantum`
    """
    if (file is None) == (not filename):
        raise InvalidInput("Say which jobs: give a FILE, or -f FILE.")
    resources = filename or ([str(file)] if file is not None and file.suffix in files.SUFFIXES else [])
    given = {"shots": shots, "backend": backend}
    options: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if resources and options:
        raise InvalidInput("A job of a file carries its own options; --shots and --backend are for circuits.")
    wanted: Sequence[Any] = files.jobs(files.resources(resources), namespace) if resources else [file]
    with terminal.client(namespace) as client:
        found = [(one, document) for one in wanted for document in client.estimate(one, namespace=namespace, **options)]
    documents = [_shown(document, _weights_of(getattr(one, "spec", None))) for one, document in found]
    _print(documents, output)


def _print(documents: Sequence[Mapping[str, Any]], output: Format | None) -> None:
    if output is not None:
        terminal.put(Output(output.value).text(documents[0] if len(documents) == 1 else listing(documents)))
        return
    from qtasks.cli.selection_table import estimate_text

    width = terminal.width(terminal.console())
    for number, document in enumerate(documents):
        if number:
            terminal.write("\n")
        terminal.show(estimate_text(document, width=width))


def _shown(document: Mapping[str, Any], weights: Mapping[str, Any]) -> dict[str, Any]:
    """A document of the client with its weights, and without what is drawn here anew."""
    known = {key: value for key, value in document.items() if key not in ("columns", "rows")}
    return {**known, "weights": weights}


def _weights(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The weights of a job's document."""
    from qtasks.resources import BackendSelection

    return _effective(BackendSelection.model_validate(spec.get("backendSelection") or {}))


def _weights_of(spec: Any) -> dict[str, Any]:
    """The weights of a job that was not submitted; None for a circuit."""
    from qtasks.resources import BackendSelection

    return _effective((spec and spec.backend_selection) or BackendSelection())


def _effective(chosen: BackendSelection) -> dict[str, Any]:
    weights = chosen.effective_weights
    preset = None if chosen.weights is not None else chosen.preset.value if chosen.preset else "balanced"
    return {
        "cost": weights.cost,
        "queueTime": weights.queue_time,
        "capability": weights.capability,
        "availability": weights.availability,
        "preset": preset,
    }
