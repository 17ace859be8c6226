"""How long things are kept after a job's end, as `QTASKS_CONFIG` says it: for all namespaces, or for one. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from qtasks.resources.model import Model
from qtasks.resources.quantities import Duration

FOREVER: Literal["forever"] = "forever"
_ALLOWED = f'more than zero seconds, written as a duration such as "90d" or "1h30m", or "{FOREVER}"'


def _length(value: Any) -> Any:
    if value == FOREVER or isinstance(value, Duration):
        return value
    try:
        length = Duration(value)
    except ValueError:
        length = None
    if length is None or length.value <= 0:
        raise PydanticCustomError("not_allowed", "{allowed}", {"allowed": _ALLOWED})
    return length


Length = Annotated[
    Duration | Literal["forever"],
    BeforeValidator(_length),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}], "examples": ["90d", FOREVER]}),
]


class Retention(Model):
    """How long things are kept, in seconds or as durations, or "forever". What is absent is as for all namespaces, and
    for ever where that is absent too."""

    jobs: Length | None = None
    """A job, with all that is known of it, after its end; a job's own spec.ttlAfterFinished may be shorter."""
    events: Length | None = None
    """A job's events, after its end."""
    objects: Length | None = None
    """Its objects, after its end: result, circuit, circuit as compiled. The job stays, and says so (ResultExpired)."""
    audit: Length | None = None
    """What the audit trail says, after it was written."""


@dataclass(frozen=True, slots=True)
class Kept:
    """How long things of one namespace are kept, in seconds; None: for ever."""

    jobs: float | None = None
    events: float | None = None
    objects: float | None = None
    audit: float | None = None


def kept(own: Retention | None, everywhere: Retention) -> Kept:
    """What counts in a namespace: what is said of it, else what is said of all. No object is kept longer than its
    job."""
    lengths = {name: _seconds(own, everywhere, name) for name in Retention.model_fields}
    known = [seconds for seconds in (lengths["jobs"], lengths["objects"]) if seconds is not None]
    return Kept(**{**lengths, "objects": min(known, default=None)})


def _seconds(own: Retention | None, everywhere: Retention, name: str) -> float | None:
    said = getattr(own, name, None) or getattr(everywhere, name)
    return said.seconds if isinstance(said, Duration) else None
