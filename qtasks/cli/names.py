"""Names of things, found through the client: jobs by name or id, and what a mistyped name may have meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtasks.cli import known_names
from qtasks.cli.nouns import Kind, meant
from qtasks.errors import NotFound, QTasksError

if TYPE_CHECKING:
    from qtasks.client import Client, Job

_NEAR = 1000
"""Among how many of the newest jobs a mistyped name is looked for."""


def job(client: Client, what: str) -> Job:
    """The job of this name or id; raises NotFound (`JobNotFound`), which says what may have been meant."""
    try:
        return client.job(what)
    except NotFound as error:
        try:
            guess = meant(what, names_of(client, Kind.JOBS, most=_NEAR))
        except QTasksError:
            guess = ""
        raise NotFound(error.message, reason=error.reason, hint=f"{guess}{error.hint}", details=error.details) from None


def jobs(client: Client, names: Sequence[str]) -> list[Job]:
    """The jobs of these names or ids."""
    return [job(client, each) for each in names]


def names_of(client: Client, kind: str, *, most: int) -> list[str]:
    """The names of what there is of a kind in the client's namespace, or all `namespaces` that are seen."""
    from qtasks.cli.pages import newest

    if kind == Kind.JOBS:
        return [each["metadata"]["name"] for each in newest(client, most)]
    if kind == known_names.NAMESPACES:
        found = {each["metadata"]["namespace"] for each in newest(client, most, all_namespaces=True)}
        return sorted(found | {client.namespace, "default"})
    if kind == Kind.ACCOUNTS:
        return [each["name"] for each in client.accounts()]
    if kind == Kind.BACKENDS:
        return list(dict.fromkeys(each["name"] for each in client.backends()))
    return [each["metadata"]["name"] for each in (client.budgets() if kind == Kind.BUDGETS else client.sessions())]
