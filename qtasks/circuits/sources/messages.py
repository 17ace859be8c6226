"""What passes between a worker and the process that fetches: one request as JSON, one answer as a JSON line and bytes.

Light imports: the fetching process starts for every fetch.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from qtasks import errors
from qtasks.errors import QTasksError, Unavailable

KINDS = {kind.__name__: kind for kind in (errors.InvalidInput, errors.NotFound, errors.Forbidden, errors.Unavailable)}


@dataclass(frozen=True, slots=True)
class Fetched:
    """A circuit as it was found: its bytes, where from, and for Git the commit.

    `origin` is for provenance and never has a credential: `https://host/x.py` (without the query, which may hold one),
    `git+https://host/repository@<commit>:path` or `configmap:namespace/name/key`. `commit` is a full object id.
    """

    data: bytes = field(repr=False)
    origin: str
    commit: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One fetch. `target` is what the source names; `hosts` and `http` are settings of the same meaning."""

    source: str
    target: dict[str, str]
    shown: str
    """The target in words, for messages; without a query."""
    seconds: float
    max_bytes: int
    hosts: str = ""
    http: bool = False
    secret_name: str = ""
    secret: dict[str, str] = field(default_factory=dict, repr=False)


def encode_request(request: Request) -> bytes:
    """The request as one JSON document; it holds the secret, so it goes to the process's standard input only."""
    return json.dumps(asdict(request)).encode()


def decode_request(data: bytes) -> Request:
    """The reverse of `encode_request`."""
    return Request(**json.loads(data))


def encode_answer(answer: Fetched | QTasksError) -> bytes:
    """An answer as a line of JSON, followed by the circuit's bytes when there is one."""
    if isinstance(answer, Fetched):
        head = {"origin": answer.origin, "commit": answer.commit, "size": len(answer.data)}
        return json.dumps(head).encode() + b"\n" + answer.data
    kind = type(answer).__name__ if type(answer).__name__ in KINDS else Unavailable.__name__
    error = {"kind": kind, "message": answer.message, "reason": answer.reason, "hint": answer.hint}
    return json.dumps({"error": error | {"details": answer.details}}).encode() + b"\n"


def decode_answer(data: bytes) -> Fetched:
    """What was fetched; raises the error that the answer holds, and ValueError for what is no whole answer."""
    head, _, body = data.partition(b"\n")
    answer: dict[str, Any] = json.loads(head)
    if error := answer.get("error"):
        kind = KINDS[error.pop("kind")]
        raise kind(error.pop("message"), **error)
    if len(body) != answer["size"]:
        raise ValueError("the answer was cut short")
    return Fetched(body, answer["origin"], answer["commit"])
