"""The command that collects what was submitted earlier: collect."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qtasks.cli import terminal
from qtasks.cli.options import DEFAULT_NAMESPACE, Account, ApiKeyIndex, JobsFiles, Namespace, seconds_of
from qtasks.errors import InvalidInput, JobFailed, WaitTimeout

if TYPE_CHECKING:
    from qtasks import config
    from qtasks.client import Client
    from qtasks.client.collection import Looked, Wanted

_LOOK_SECONDS = 10.0
"""How long pollers have for a visit before what is known is printed."""
_REFRESH_SECONDS = 2.0
"""How often a watch reads the rows between two looks at the provider."""
_FILES = "submitted_jobs_*.jsonl"


def add_to(app: typer.Typer) -> None:
    """Put the command on `app`."""
    app.command()(collect)


def collect(
    jobs_file: JobsFiles = None,
    job_id: Annotated[
        list[str] | None,
        typer.Option("--job-id", metavar="ID", help="A job, by id, name or the provider's id. Repeatable."),
    ] = None,
    poll_all: Annotated[
        bool,
        typer.Option(
            "--poll-all",
            help=f"All jobs of the files {_FILES} in this folder; without any, all jobs of the namespace that are or "
            "were at a provider.",
        ),
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until all jobs are final.")] = False,
    interval: Annotated[
        str, typer.Option(metavar="S", help="Seconds, or a duration, between two looks at the provider when watching.")
    ] = "30",
    api_key_index: ApiKeyIndex = None,
    account: Account = None,
    namespace: Namespace = DEFAULT_NAMESPACE,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Results; collected_results_YYYYMMDD_HHMMSS.json when absent."
        ),
    ] = None,
) -> None:
    """See how jobs at a provider stand, and collect their results.

    Has pollers look, prints a line for each job, brings the jobs files up to date, and, once a job is final, writes the
    results of all. Collecting twice is harmless: what is final is not asked for again, and the results are the same.

    Lines of a jobs file that another tool wrote are imported: those that are not final become jobs of this queue, under
    the account of --account, of --api-key-index, or of the line's own api_key_index.

    Examples:

    - `qtasks collect --jobs-file submitted_jobs_20261120_204500.jsonl`

    - `qtasks collect --poll-all`

    - `qtasks collect --jobs-file submitted.jsonl --watch --interval 300`

    - `qtasks collect --job-id d541c5onsj9s73b1d4lg`
    """
    if not (jobs_file or job_id or poll_all):
        raise InvalidInput("Say which jobs: give --jobs-file, --job-id or --poll-all.")
    if account is not None and api_key_index is not None:
        raise InvalidInput("--account and --api-key-index both name the account: give one of the two.")
    seconds = max(1.0, seconds_of("--interval", interval))
    from qtasks.client import collection
    from qtasks.client import jobs_file as files

    if output is not None:
        files.require_writable(output)
    with terminal.client(namespace) as client:
        wanted = _wanted(client, jobs_file or [], job_id or [], poll_all, _account(client, account, api_key_index))
        if not wanted:
            terminal.note(f"No jobs to collect in namespace {namespace}.")
            return
        try:
            _follow(client, wanted, seconds if watch else None)
        except KeyboardInterrupt:
            interrupted = True
        else:
            interrupted = False
        _summarise(wanted)
        if any(one.status.final for one in wanted):
            document = collection.results(client, wanted)
            file = output or files.name_of_new("collected_results", ".json", Path())
            files.replace(file, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
            terminal.note(f"Wrote {file}.")
    if interrupted:
        raise typer.Exit(130)
    _require_success(wanted)


def _account(client: Client, name: str | None, index: int | None) -> config.Account | None:
    from qtasks.client.accounts import called, numbered

    if name is not None:
        return called(client, name, client.namespace)
    if index is not None:
        return numbered(client, index, client.namespace)
    return None


def _wanted(
    client: Client, paths: Sequence[Path], ids: Sequence[str], poll_all: bool, account: config.Account | None
) -> list[Wanted]:
    from qtasks.client import collection
    from qtasks.client.importing import import_unknown

    found = sorted(Path().glob(_FILES)) if poll_all else []
    wanted = [one for path in dict.fromkeys([*paths, *found]) for one in collection.of_file(client, path)]
    wanted += collection.of_ids(client, ids, unknown=account is not None)
    if poll_all and not found:
        wanted += collection.of_namespace(client)
    imported = import_unknown(client, wanted, account)
    if imported:
        terminal.note(f"Imported {len(imported)} job{'' if len(imported) == 1 else 's'} that no row knew.")
    return collection.once(wanted)


def _follow(client: Client, wanted: Sequence[Wanted], interval: float | None) -> None:
    """Print each job's line, and again when it changes; with an `interval`, until all are final."""
    from qtasks.cli.follow import progress
    from qtasks.client import collection

    shown: dict[int, str] = {}
    collection.refresh(client, wanted)
    if interval is None:
        _look(client, wanted)
        _show(wanted, shown, lambda line: terminal.write(f"{line}\n"))
        return
    with progress(len(wanted)) as (say, advance):
        _show(wanted, shown, say, advance)
        while not all(one.status.final for one in wanted):
            began = time.monotonic()
            _look(client, wanted)
            _show(wanted, shown, say, advance)
            while (left := began + interval - time.monotonic()) > 0 and _wait(client, wanted, left):
                _show(wanted, shown, say, advance)


def _look(client: Client, wanted: Sequence[Wanted]) -> None:
    """Have pollers look, and take up what they saw; what keeps them from it is told on standard error."""
    from qtasks.client import collection

    _tell(collection.look(client, wanted, seconds=_LOOK_SECONDS))
    collection.refresh(client, wanted)
    collection.update_files(wanted)


def _tell(looked: Looked) -> None:
    for name in looked.unanswered:
        terminal.note(
            f"No poller has looked at account {name} within {_LOOK_SECONDS:g} s; this is what was known before."
        )
    for name, (reason, message) in looked.trouble.items():
        terminal.note(f"Account {name}: {message} [{reason}]")


def _wait(client: Client, wanted: Sequence[Wanted], seconds: float) -> bool:
    """Wait a moment for news of the jobs that are not final; False when none is left."""
    from qtasks.client import Job, collection

    left = [
        Job(client, one.row.id, one.row.name, one.row.namespace)
        for one in wanted
        if one.row is not None and not one.status.final
    ]
    if left:
        # Thousands of rows are not read every other second.
        pause = max(_REFRESH_SECONDS, len(left) / 500)
        with suppress(WaitTimeout):
            client.wait(left, timeout=min(seconds, pause))
        collection.refresh(client, wanted)
        collection.update_files(wanted)
    return bool(left)


def _show(
    wanted: Sequence[Wanted],
    shown: dict[int, str],
    say: Callable[[str], None],
    advance: Callable[[], None] = lambda: None,
) -> None:
    for number, one in enumerate(wanted):
        if shown.get(number) == one.word:
            continue
        shown[number] = one.word
        say(f"Job {one.entry['job_id']}: {one.word}")
        if one.status.final:
            advance()


def _summarise(wanted: Sequence[Wanted]) -> None:
    from qtasks.client.jobs_file import Status

    total = len(wanted)
    number = {status: sum(one.status is status for one in wanted) for status in Status}
    terminal.write(f"  ✓ Completed: {number[Status.COMPLETED]}/{total}\n")
    bad = number[Status.FAILED] + number[Status.ERROR]
    if bad:
        terminal.write(f"  ✗ Failed: {bad}/{total}\n")
    if number[Status.CANCELLED]:
        terminal.write(f"  Cancelled: {number[Status.CANCELLED]}/{total}\n")
    terminal.write(f"  Pending: {number[Status.SUBMITTED]}/{total}\n")


def _require_success(wanted: Sequence[Wanted]) -> None:
    from qtasks.client.jobs_file import Status

    bad = [one for one in wanted if one.status.final and one.status is not Status.COMPLETED]
    if bad:
        first = bad[0].entry
        raise JobFailed(
            f"{len(bad)} of {len(wanted)} jobs did not complete; job {first['job_id']}: "
            f"{first.get('error') or first['status']}",
            hint=f"`qtasks describe {first['job_id']}` says more.",
        )
