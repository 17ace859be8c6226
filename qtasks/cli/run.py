"""The command that runs one job and shows what comes of it: run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qtasks.cli import files, known_names, terminal
from qtasks.cli.nouns import Kind
from qtasks.cli.options import DEFAULT_NAMESPACE, OwnNamespace, Priority
from qtasks.errors import InvalidInput, JobFailed
from qtasks.lifecycle import Phase

if TYPE_CHECKING:
    from rich.console import Console

    from qtasks.client import Client, Job


class Format(StrEnum):
    """What `-o` may be."""

    JSON = "json"


def add_to(app: typer.Typer) -> None:
    """Put the command on `app`."""
    app.command()(run)


def run(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A job (.yaml), or a circuit as OpenQASM 2 or 3 (.qasm), Python (.py) or QPY (.qpy).",
            exists=True,
            dir_okay=False,
            readable=True,
        ),
    ],
    shots: Annotated[
        int | None, typer.Option(metavar="N", help="How often a circuit is executed, 1 to 100000.")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Seed of the simulator for a circuit.")] = None,
    priority: Annotated[Priority | None, typer.Option(help="How urgent a circuit is.")] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Name of a circuit's job; made when absent.")] = None,
    namespace: OwnNamespace = None,
    output: Annotated[Format | None, typer.Option("--output", "-o", help="Print one object and nothing else.")] = None,
) -> None:
    """Run one job or circuit and show its counts.

    Waits for the job, shows its phases as they pass, and then its counts as a histogram. A job of a YAML file carries
    its own options. One that was run before, with the same name and spec, is not run again: its result is shown.

    Examples:

    - `qtasks run examples/bell.yaml`

    - `qtasks run circuit.qasm --shots 4096 --seed 42 -o json`
    """
    circuit: Any = file
    given = {"name": name, "shots": shots, "seed_simulator": seed, "priority": priority and priority.value}
    options: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if file.suffix in files.SUFFIXES:
        circuit = _one_job(file, namespace)
    out = terminal.console(stderr=output is not None)
    with terminal.client(namespace) as client:
        job = client.submit(circuit, namespace=namespace, **options)
        known_names.remember(Kind.JOBS, job.namespace, [job.name])
        try:
            phase = _watch(client, job, out, quiet=output is not None)
        except KeyboardInterrupt:
            terminal.note(_goes_on(job))
            raise typer.Exit(130) from None
        if output is not None:
            _print_object(client, job, phase)
        else:
            _print_report(client, job, out)


def _one_job(file: Path, namespace: str | None) -> Any:
    jobs = files.jobs(files.resources([str(file)]), namespace)
    if len(jobs) > 1:
        raise InvalidInput(
            f"There are {len(jobs)} jobs in {file}, and `run` runs one.", hint=f"`qtasks apply -f {file}` submits all."
        )
    return jobs[0]


def _watch(client: Client, job: Job, out: Console, *, quiet: bool) -> Phase:
    """Wait for the job; unless `quiet`, its events are printed as they come."""
    from qtasks.cli.ages import when
    from qtasks.cli.follow import elapsed, follow
    from qtasks.cli.report import progress_line, step

    _require_broker(job)
    if not job.created:
        phase = job.status()
        message = f"qiskitjob/{job.name} unchanged: the same job {_known_as(phase)}"
        terminal.note(message) if quiet else out.print(message)
        if phase.final:
            return phase
    elif not quiet:
        out.print(f"qiskitjob/{job.name} created")
    since = when(client.describe(job.job_id())["metadata"]["creationTimestamp"])
    with elapsed(out, Phase.PENDING) as say:

        def tell(event: Any) -> None:
            word = step(event)
            if word is None:
                return
            phase = job.status() if event["type"] == "Warning" else Phase(word)
            say(phase.value)
            if not quiet:
                ended = phase if phase.final and phase.value != word else None
                out.print(progress_line(event, since, ended=ended))

        return follow(client, job, tell)


def _known_as(phase: Phase) -> str:
    if not phase.final:
        return "is on its way."
    return "ran before, and this is what came of it. Under another name it runs again."


def _require_broker(job: Job) -> None:
    """Without a broker nobody hears of the job, and whoever sits before the terminal should. Over REST the broker is
    the server's business."""
    from qtasks.errors import Unavailable
    from qtasks.lifecycle import Queue
    from qtasks.queue import Publisher
    from qtasks.settings import settings

    if settings().api_url:
        return
    publisher = Publisher(settings().broker)
    try:
        publisher.waiting(Queue.VALIDATION, 0)
    except Unavailable as error:
        raise Unavailable(
            error.message, reason=error.reason, hint=f"Job {job.name} is kept, and goes on when Redis is back."
        ) from None
    finally:
        publisher.close()


def _print_object(client: Client, job: Job, phase: Phase) -> None:
    from qtasks.cli.report import run_object

    failure = None
    result = None
    try:
        result = job.result(timeout=5)
    except JobFailed as error:
        failure = error
    terminal.write(json.dumps(run_object(client.describe(job.job_id()), result), ensure_ascii=False) + "\n")
    if failure is not None:
        raise failure


def _print_report(client: Client, job: Job, out: Console) -> None:
    from qtasks.cli.follow import delivery
    from qtasks.cli.report import result_text, summary

    result = job.result(timeout=5)
    document = client.describe(job.job_id())
    width = terminal.width(out)
    out.print()
    out.print(result_text(result, width or terminal.PLAIN_WIDTH))
    out.print()
    delivered = None
    if document["spec"].get("output"):
        condition = delivery(client, job)
        delivered = _delivered(condition)
    out.print(summary(document, width=width, output=delivered))


def _delivered(condition: Mapping[str, Any] | None) -> str:
    if condition is None:
        return "Not delivered yet; `qtasks describe` will say."
    return str(condition["message"]) if condition["status"] == "True" else f"Not delivered: {condition['message']}"


def _goes_on(job: Job) -> str:
    words = job.name if job.namespace == DEFAULT_NAMESPACE else f"{job.name} -n {job.namespace}"
    return (
        f"\nqiskitjob/{job.name} goes on. Look at it with `qtasks describe {words}`, wait for it with\n"
        f"`qtasks wait {words}`, end it with `qtasks cancel {words}`."
    )
