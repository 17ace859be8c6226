"""What every output does, and what it may work with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from qtasks.results.outputs.owner import Owner
from qtasks.settings import Settings


@dataclass(frozen=True, slots=True)
class Delivery:
    """Whose result goes where: `location` is the output's own kind of name; `path` is of a volume alone."""

    namespace: str
    job_id: str
    location: str
    path: str | None = None
    name: str = ""
    format: str = "json"
    date: str = ""
    """The day on which the job was completed, in UTC: `2026-01-02`."""
    owner: Owner | None = None
    """The QiskitJob whose job it is, in a cluster."""


@dataclass(frozen=True, slots=True)
class Question:
    """One HTTP request; its address has no credential, its headers may."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an HTTP server says to it: header names are in lower case, a long body is cut."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


Ask = Callable[[Question], Answer]
"""Asks once, of an address that was checked, in bounded time; follows no redirect. Raises Unavailable
(`OutputUnavailable`) for what may heal, Forbidden (`OutputForbidden`) and InvalidInput (`InvalidOutput`)."""


@dataclass(frozen=True, slots=True)
class Means:
    """What an output works with, beside what it delivers."""

    settings: Settings
    secret: Mapping[str, str] | None = field(default=None, repr=False)
    """The values of the secret that the job names for its output; None where it names none."""
    ask: Ask | None = field(default=None, repr=False)
    """How hosts that a tenant names are asked; None: not at all."""
    ask_own: Ask | None = field(default=None, repr=False)
    """The same for hosts that the user of an embedded stack has in their own environment."""
    seconds: float = 20.0
    """Within which the delivery has to end."""


class Output(Protocol):
    """One place where results are delivered."""

    def deliver(self, job: Delivery, rendered: bytes) -> str:
        """Put the rendered result there, all of it or nothing, over an earlier one; say where it is.

        Raises Unavailable for what may heal; InvalidInput, NotFound or Forbidden for what does not.
        """
