"""Faults to order, and what is recorded of requests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Request:
    """A request that the server got, with the status that it answered; 0 where it dropped the connection."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    time: float
    """`time.monotonic()` when it came."""
    status: int


@dataclass
class Answer:
    """Status, JSON or text, and headers of an answer."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Fault:
    """What happens to the next requests of a method and a path."""

    method: str
    """`GET`, `POST`, … or `*`."""
    path: re.Pattern[str]
    when: Literal["before", "after"]
    """Whether the request is carried out first."""
    answer: Answer | None
    """What is answered instead; None drops the connection."""
    times: int | None
    """How many more requests it hits; None: all."""
    hits: int = 0
    """Requests that it hit."""

    def matches(self, method: str, path: str) -> bool:
        return self.times != 0 and self.method in ("*", method) and self.path.search(path) is not None

    def hit(self) -> None:
        self.hits += 1
        if self.times is not None:
            self.times -= 1


def refusal(status: int, code: int, message: str) -> Answer:
    """An error in the form that IBM's REST API has."""
    return Answer(status, {"errors": [{"code": code, "message": message}], "trace": "trace-of-the-test-server"})
