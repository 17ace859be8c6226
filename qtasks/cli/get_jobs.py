"""What `qtasks get jobs` shows: a table or documents, once or as phases change."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from qtasks.cli import known_names, terminal
from qtasks.cli.names import job
from qtasks.cli.outputs import Document, Output, listing
from qtasks.cli.pages import newest
from qtasks.cli.sorting import sort
from qtasks.errors import InvalidInput, WaitTimeout
from qtasks.lifecycle import Phase

if TYPE_CHECKING:
    from qtasks.client import Client

_WATCH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Asked:
    """Which jobs are wanted, and in which order."""

    names: Sequence[str]
    namespace: str
    all_namespaces: bool
    selector: str | None
    phase: Phase | None
    backend: str | None
    priority: str | None
    since: datetime | None
    limit: int
    sort_by: str | None = None

    @property
    def filtered(self) -> bool:
        return bool(self.selector or self.phase or self.backend or self.priority or self.since or self.all_namespaces)


def get_jobs(query: Asked, chosen: Output, *, watch: bool) -> None:
    """List them, newest first where nothing else is asked; with `watch`, go on until Ctrl-C."""
    if query.names and query.filtered:
        raise InvalidInput("Give names, or -l, --phase, --backend, --priority, --since and -A, not both.")
    with terminal.client(query.namespace) as client:
        found = _find(client, query, complete=not chosen.tabular, queues=chosen.format == "wide")
        more = len(found) > query.limit and not query.names
        shown = found if query.names else found[: query.limit]
        known_names.remember_jobs(shown)
        if query.sort_by is not None:
            shown = sort(shown, query.sort_by)
        _print(shown, query, chosen, several=len(query.names) != 1)
        if more:
            terminal.note(f"There are more than these {query.limit}; --limit shows them.")
        if chosen.format == "wide":
            _tell_how_wrong(client, shown)
        if watch:
            _watch(client, query, chosen, shown)


def _tell_how_wrong(client: Client, found: Sequence[Document]) -> None:
    """Where estimated starts are shown, how wrong past ones were."""
    from qtasks.cli.descriptions import past_estimates

    spaces = {document["metadata"]["namespace"] for document in found if "estimatedStart" in _queue(document)}
    for namespace in sorted(spaces):
        where = f" of namespace {namespace}" if len(spaces) > 1 else ""
        terminal.note(f"Past estimates{where}: {past_estimates(client.accuracy(namespace=namespace))}.")


def _queue(document: Document) -> Mapping[str, Any]:
    queue: Mapping[str, Any] = document["status"].get("queue", {})
    return queue


def _find(client: Client, query: Asked, *, complete: bool, queues: bool = False) -> list[Document]:
    """The jobs asked for, one more than the limit where there are more. A complete one has its circuit with it; with
    `queues`, one has its place among those that wait."""
    if query.names:
        return [client.describe(job(client, name).job_id(), queues=queues) for name in query.names]
    found = newest(
        client,
        query.limit + 1,
        phase=query.phase,
        labels=query.selector,
        namespace=query.namespace,
        all_namespaces=query.all_namespaces,
        backend=query.backend,
        priority=query.priority,
        since=query.since,
        queues=queues and not complete,
    )
    return [client.describe(document["metadata"]["uid"]) for document in found] if complete else [*found]


def _print(found: Sequence[Document], query: Asked, chosen: Output, *, several: bool) -> None:
    if not chosen.tabular:
        terminal.put(chosen.text(listing(found) if several else found[0]))
    elif found:
        terminal.show(_table(found, query, chosen))
    else:
        where = "" if query.all_namespaces else f" in namespace {query.namespace}"
        terminal.note(f"No jobs found{where}.")


def _table(found: Sequence[Document], query: Asked, chosen: Output) -> Any:
    from qtasks.cli.ages import now
    from qtasks.cli.job_table import job_table

    width = terminal.width(terminal.console())
    wide = chosen.format == "wide"
    return job_table(found, now=now(), width=width, wide=wide, namespaces=query.all_namespaces)


def _watch(client: Client, query: Asked, chosen: Output, found: Sequence[Document]) -> None:
    """Print each job again when its phase changes, and each new one, until Ctrl-C. `found` was printed before."""
    known = {document["metadata"]["uid"]: document["status"]["phase"] for document in found}
    # Below a table without lines its titles are still to come.
    titles = not found
    for document in _changes(client, query, known, complete=not chosen.tabular, queues=chosen.format == "wide"):
        if not chosen.tabular:
            terminal.put(chosen.text(document))
            continue
        lines = _table([*found, document], query, chosen).split("\n")
        terminal.show(lines[0].append("\n").append(lines[-1]) if titles else lines[-1])
        titles = False


def _changes(
    client: Client, query: Asked, known: dict[str, str], *, complete: bool, queues: bool
) -> Iterator[Document]:
    """Jobs as their phases change: at once for those that are known, within a second for new ones."""
    changed: list[Document] = []

    def news(job_id: str, phase: Phase) -> None:
        if known.get(job_id) != phase:
            known[job_id] = phase.value
            changed.append(_at(client.describe(job_id), phase))

    while True:
        jobs = {
            document["metadata"]["uid"]: document for document in _find(client, query, complete=complete, queues=queues)
        }
        for job_id, document in reversed(jobs.items()):
            if known.get(job_id) != document["status"]["phase"]:
                known[job_id] = document["status"]["phase"]
                yield document
        waiting = [client.job(job_id) for job_id in jobs if not Phase(known[job_id]).final]
        if waiting:
            with suppress(WaitTimeout):
                client.wait(waiting, timeout=_WATCH_SECONDS, seen=news)
            yield from changed
            changed.clear()
        else:
            time.sleep(_WATCH_SECONDS)


def _at(document: Document, phase: Phase) -> Mapping[str, Any]:
    """The document as of the phase that was heard of: the job itself may be further on."""
    return {**document, "status": {**document["status"], "phase": phase.value}}
