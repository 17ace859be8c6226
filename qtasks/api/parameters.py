"""What addresses and headers may say: their patterns, bounds and sentences."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Annotated, Literal
from urllib.parse import unquote

from fastapi import Header, Path, Query
from starlette.requests import Request

from qtasks.errors import InvalidInput
from qtasks.resources.names import SUBDOMAIN_PATTERN

_NAMESPACE = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
# A date that there is, of the years 1000 to 2999, and a time of the day.
_LEAP_YEAR = r"([12]\d(0[48]|[2468][048]|[13579][26])|(12|16|20|24|28)00)"
_DAY = r"((0[13578]|1[02])-(0[1-9]|[12]\d|3[01])|(0[469]|11)-(0[1-9]|[12]\d|30)|02-(0[1-9]|1\d|2[0-8]))"
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d"
_TIME = rf"^([12]\d{{3}}-{_DAY}|{_LEAP_YEAR}-02-29)([Tt ]{_CLOCK}(:[0-5]\d(\.\d{{1,9}})?)?([Zz]|[+-]{_CLOCK})?)?$"
_TEXT = r"^[^\x00-\x1f\x7f]+$"
_KEY = "[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?"
_TERM = rf"(!?{_KEY}|{_KEY}(=|==|!=)[A-Za-z0-9._-]*|{_KEY} (in|notin) \([A-Za-z0-9._, -]*\))"
# With its slashes, and as it comes (see `gate`).
_PROVIDERS_NAME = "^[A-Za-z0-9]([A-Za-z0-9._:/-]*[A-Za-z0-9])?$"
_AS_IT_COMES = "^[A-Za-z0-9](([A-Za-z0-9._:-]|%2[fF])*[A-Za-z0-9])?$"
LONGEST_WAIT = 60.0

Namespace = Annotated[str, Query(description="Namespace.", pattern=_NAMESPACE, max_length=63, examples=["default"])]
Namespaces = Annotated[
    str,
    Query(
        description="Namespace, or `*` for all that you may see.",
        pattern=rf"^\*$|{_NAMESPACE}",
        max_length=63,
        examples=["default"],
    ),
]
OwnNamespace = Annotated[
    str | None,
    Query(
        description="Namespace; that of the document, or `default`, when absent.",
        pattern=_NAMESPACE,
        max_length=63,
        examples=["default"],
    ),
]
JobId = Annotated[
    str,
    Path(
        description="Id of a job, its name, or the id that its provider gave it (a slash in it as `%2F`).",
        pattern=_AS_IT_COMES,
        json_schema_extra={"pattern": _PROVIDERS_NAME},
        max_length=512,
    ),
]
Name = Annotated[str, Path(description="Name.", pattern=SUBDOMAIN_PATTERN, max_length=253)]
DeviceName = Annotated[
    str,
    Path(
        description="Name of a device.",
        pattern=_AS_IT_COMES,
        json_schema_extra={"pattern": _PROVIDERS_NAME},
        max_length=253,
    ),
]
Wait = Annotated[
    float,
    Query(description="Seconds to wait for news, at most; 0: answer at once.", ge=0, le=LONGEST_WAIT, examples=[0]),
]
Flag = Literal["true", "false"]
Limit = Annotated[int, Query(description="Most items of the page.", ge=1, le=1000, examples=[10])]
Since = Annotated[
    str | None,
    Query(
        description="A time of RFC 3339, or a date; UTC when it names no zone.",
        pattern=_TIME,
        max_length=40,
        examples=["2026-01-31T12:00:00Z"],
    ),
]
Labels = Annotated[
    str | None,
    Query(
        description="A selector as kubectl has it: `algorithm=vqe,team!=ops,gpu`.",
        pattern=_TEXT,
        max_length=4096,
        # What is no selector is told by its reader, who knows where it stops making sense.
        json_schema_extra={"pattern": f"^{_TERM}(,{_TERM})*$"},
        examples=["algorithm=vqe"],
    ),
]
Text = Annotated[str | None, Query(pattern=_TEXT, max_length=253)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        description="Submitting twice with one key gives one job.",
        min_length=1,
        max_length=255,
        pattern=r"^[!-~]([ -~]*[!-~])?$",
        examples=["my-experiment-17"],
    ),
]
GitCommit = Annotated[
    str | None,
    Header(
        alias="QTasks-Git-Commit",
        description="Commit of the folder that is submitted from, for the result's provenance.",
        pattern="^([0-9a-f]{40}|[0-9a-f]{64})$",
    ),
]
IfNoneMatch = Annotated[
    str | None, Header(description="ETag of what you have: 304 when it is still so.", max_length=2048)
]


def unslashed(text: str) -> str:
    """A path's part with its encoded slashes back (see `gate`)."""
    return re.sub("%2[fF]", "/", text)


def spaces(namespace: str) -> str | None:
    """The namespaces of a list as the gateway has them: None for all."""
    return None if namespace == "*" else namespace


def moment(text: str | None) -> datetime | None:
    """A time of a query. Raises InvalidInput."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text.upper()))
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{text[:40]} is no time.", reason="InvalidParameter", hint="Write it as 2026-01-31T12:00:00Z."
        ) from None


def refuse_unknown(request: Request) -> None:
    """Refuse a parameter that means nothing here: with a letter too many, a filter would let everything through."""
    if not request.query_params:
        return
    known = {field.alias for field in request.scope["route"].dependant.query_params}
    for name in request.query_params:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise InvalidInput(
                f"There is no parameter {unquote(name)[:80]!r} here.",
                reason="UnknownParameter",
                hint=f"Did you mean {near[0]}?" if near else f"There are {', '.join(sorted(known)) or 'none'}.",
            )
