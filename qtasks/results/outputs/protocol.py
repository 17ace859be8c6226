"""What every output does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Delivery:
    """Whose result goes where: `location` is the output's own kind of name."""

    namespace: str
    job_id: str
    location: str


class Output(Protocol):
    """One place where results are delivered."""

    def deliver(self, job: Delivery, rendered: bytes) -> str:
        """Put the rendered result there, all of it or nothing, over an earlier one; say where it is."""
