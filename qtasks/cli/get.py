"""The command that lists things: get."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from qtasks.cli import terminal
from qtasks.cli.get_jobs import Asked, get_jobs
from qtasks.cli.nouns import Kind, after_noun
from qtasks.cli.options import DEFAULT_NAMESPACE, Namespace, Noun, Priority, Selector
from qtasks.cli.outputs import FORMATS, Document, Output, listing, output
from qtasks.cli.sorting import SORT_KEYS, require_key, sort
from qtasks.errors import InvalidInput
from qtasks.lifecycle import Phase

if TYPE_CHECKING:
    from rich.text import Text

    from qtasks.client import Client

_LIMIT = 100


def add_to(app: typer.Typer) -> None:
    """Put the command on `app`."""
    app.command()(get)


def get(
    what: Noun,
    namespace: Namespace = DEFAULT_NAMESPACE,
    all_namespaces: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Those of all namespaces.")] = False,
    selector: Selector = None,
    phase: Annotated[
        Phase | None, typer.Option(case_sensitive=False, metavar="PHASE", help="Only jobs in this phase.")
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only jobs that run there: `local_simulator`, or a device's name."),
    ] = None,
    priority: Annotated[
        Priority | None, typer.Option(metavar="PRIORITY", help="Only jobs of priority low, normal, high or urgent.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="T", help="Only jobs submitted since: an age such as 2h, or a time in UTC.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most so many jobs, the newest.")] = _LIMIT,
    sort_by: Annotated[
        str | None, typer.Option(metavar="KEY", help=f"{', '.join(SORT_KEYS)}, or a JSONPath such as `.metadata.name`.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Go on with a line for every change of a job's phase.")
    ] = False,
    form: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FORMAT", help=f"{', '.join(FORMATS)}; a table when absent.")
    ] = None,
) -> None:
    """List jobs, the newest first; accounts; backends; budgets; or sessions.

    Of jobs, `-o wide` shows the place in the queue and the estimated start. Of accounts: USED and REMAINING are quantum
    time in the days of the allowance, JOBS those at the provider + those that wait for their turn. Of backends: ERROR
    is the mean error of two-qubit gates, AGE that of the queue's figures. Of budgets: USED is a bar of what is spent
    (█), reserved (▒) and left (░).

    Examples:

    - `qtasks get jobs -l algorithm=grover --phase Running`

    - `qtasks get jobs -A -o wide -w`

    - `qtasks get jobs --since 2h --backend ibm_fez --sort-by duration`

    - `qtasks get jobs -o custom-columns=NAME:.metadata.name,COST:.status.cost`

    - `qtasks get job my-quantum-job -o jsonpath='{.status.phase}'`

    - `qtasks get accounts`

    - `qtasks get backends -o wide`

    - `qtasks get budgets -A`
    """
    kind, names = after_noun(what)
    chosen = output(form)
    if sort_by is not None:
        require_key(sort_by, of_jobs=kind is Kind.JOBS)
    if kind is Kind.JOBS:
        start = None if since is None else _moment(since)
        urgency = None if priority is None else priority.value
        asked = Asked(names, namespace, all_namespaces, selector, phase, backend, urgency, start, limit, sort_by)
        get_jobs(asked, chosen, watch=watch)
        return
    if selector or phase or backend or priority or since or watch or limit != _LIMIT:
        raise InvalidInput(f"-l, --phase, --backend, --priority, --since, --limit and -w are for jobs, not for {kind}.")
    with terminal.client(namespace) as client:
        found = _FINDERS[kind](client, all_namespaces, names)
    if sort_by is not None:
        found = sort(found, sort_by)
    where = "" if all_namespaces else f" for namespace {namespace}"
    if not chosen.tabular:
        terminal.put(chosen.text(found[0] if len(found) == len(names) == 1 else listing(found)))
    elif found:
        terminal.show(_TABLES[kind](found, chosen, all_namespaces))
    else:
        terminal.note(f"No {kind} found{where}.{_HINTS.get(kind, '')}")


def _moment(text: str) -> datetime:
    from qtasks.cli.ages import now
    from qtasks.client.recovery import moment

    return moment(text, now=now())


def accounts(client: Client, everywhere: bool, names: Sequence[str]) -> list[Document]:
    """The accounts of these names, all without any. Raises NotFound (`NoSuchAccount`)."""
    from qtasks.errors import NotFound

    known = {document["name"]: document for document in client.accounts(all_namespaces=everywhere)}
    for name in names:
        if name not in known:
            raise NotFound(
                f"There is no account {name} for namespace {client.namespace}.",
                reason="NoSuchAccount",
                hint=f"Accounts: {', '.join(known) or 'none; see QTASKS_CONFIG'}.",
            )
    return [known[name] for name in names] if names else list(known.values())


def _sessions(client: Client, everywhere: bool, names: Sequence[str]) -> list[Document]:
    if names:
        return [client.session(name) for name in names]
    return list(client.sessions(all_namespaces=everywhere))


def _budgets(client: Client, everywhere: bool, names: Sequence[str]) -> list[Document]:
    if names:
        return [client.budget(name) for name in names]
    return list(client.budgets(all_namespaces=everywhere))


def _backends(client: Client, everywhere: bool, names: Sequence[str]) -> list[Document]:
    """All devices of these names: an account each."""
    if names:
        return [device for name in names for device in client.backend(name)]
    return list(client.backends(all_namespaces=everywhere))


def _account_table(found: Sequence[Document], chosen: Output, _everywhere: bool) -> Text:
    from qtasks.cli.account_table import account_table
    from qtasks.cli.ages import now

    width = terminal.width(terminal.console())
    return account_table(found, now=now(), width=width, wide=chosen.format == "wide")


def _session_table(found: Sequence[Document], chosen: Output, everywhere: bool) -> Text:
    from qtasks.cli.ages import now
    from qtasks.cli.session_table import session_table

    width = terminal.width(terminal.console())
    return session_table(found, now=now(), width=width, wide=chosen.format == "wide", namespaces=everywhere)


def _budget_table(found: Sequence[Document], chosen: Output, everywhere: bool) -> Text:
    from qtasks.cli.ages import now
    from qtasks.cli.budget_table import budget_table

    width = terminal.width(terminal.console())
    return budget_table(found, now=now(), width=width, wide=chosen.format == "wide", namespaces=everywhere)


def _backend_table(found: Sequence[Document], chosen: Output, _everywhere: bool) -> Text:
    from qtasks.cli.ages import now
    from qtasks.cli.backend_table import backend_table

    width = terminal.width(terminal.console())
    return backend_table(found, now=now(), width=width, wide=chosen.format == "wide")


_FINDERS: dict[Kind, Callable[[Client, bool, Sequence[str]], list[Document]]] = {
    Kind.ACCOUNTS: accounts,
    Kind.SESSIONS: _sessions,
    Kind.BUDGETS: _budgets,
    Kind.BACKENDS: _backends,
}
_TABLES: dict[Kind, Callable[[Sequence[Document], Output, bool], Text]] = {
    Kind.ACCOUNTS: _account_table,
    Kind.SESSIONS: _session_table,
    Kind.BUDGETS: _budget_table,
    Kind.BACKENDS: _backend_table,
}
_HINTS = {Kind.ACCOUNTS: " QTASKS_CONFIG names them.", Kind.BUDGETS: " `qtasks apply -f` makes them."}
