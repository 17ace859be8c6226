"""Collecting: what became of the jobs of a jobs file, and asking pollers to look at their provider now."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from qtasks.api import documents
from qtasks.api.answers import answer
from qtasks.api.bodies import Body
from qtasks.api.many import EXAMPLE, WAIT, ids_of, ids_schema, wait_of, wrong
from qtasks.api.openapi import body, refusals
from qtasks.api.parameters import Namespace, refuse_unknown
from qtasks.api.serving import ask
from qtasks.client.gateway import Gateway

router = APIRouter(prefix="/v1/collect", tags=["collect"], dependencies=[Depends(refuse_unknown)])

_MOST = 1000
_NAMING = ("qtasks_job_id", "job_id")
_GOOD = re.compile(r"[^\x00-\x1f\x7f]{1,512}")
_TEXT = {"type": "string", "pattern": f"^{_GOOD.pattern}$"}
_ENTRIES = {
    "type": "array",
    "maxItems": _MOST,
    "items": {"type": "object", "properties": dict.fromkeys(_NAMING, _TEXT), "additionalProperties": False},
}


@router.post(
    "",
    operation_id="collect",
    summary="What became of submitted jobs",
    responses={200: {"model": documents.Collected, "description": "One for each entry."}, **refusals(404, body=True)},
    openapi_extra=body(
        {"type": "object", "properties": {"entries": _ENTRIES}, "additionalProperties": False},
        {"all": {}, "one": {"entries": [{"job_id": "d541c5s"}]}},
        yaml=True,
    ),
)
async def collect(request: Request, namespace: Namespace = "default") -> Response:
    """What became of the jobs that entries are about, by id of here (`qtasks_job_id`) or of the provider (`job_id`);
    without entries, of every job of the namespace that is or was at a provider, the oldest first."""
    found = Body(await request.body(), request.headers.get("content-type")).plain()
    if not isinstance(found, dict) or found.keys() - {"entries"}:
        raise wrong("It is an object of entries.")
    entries = found.get("entries")
    if "entries" in found and not _good(entries):
        raise wrong(f"`entries` is a list of at most {_MOST} objects of {' and '.join(_NAMING)}.")

    def call(way: Gateway) -> list[dict[str, Any] | None]:
        return [None if one is None else asdict(one) for one in way.collect(entries, namespace)]

    return answer({"items": await ask(request, call)})


def _good(entries: Any) -> bool:
    return (
        isinstance(entries, list)
        and len(entries) <= _MOST
        and all(
            isinstance(entry, dict)
            and entry.keys() <= set(_NAMING)
            and all(isinstance(text, str) and _GOOD.fullmatch(text) for text in entry.values())
            for entry in entries
        )
    )


@router.post(
    "/look",
    operation_id="look",
    summary="Look at a provider now",
    responses={200: {"model": documents.Looked, "description": "How that went."}, **refusals(404, body=True)},
    openapi_extra=body(ids_schema(wait=WAIT), {"one": EXAMPLE}, yaml=True),
)
async def look(request: Request) -> Response:
    """Have pollers look at the accounts of up to 1000 jobs now, and wait at most `wait` seconds until they have."""
    ids, found = await ids_of(request, "wait")
    seconds = wait_of(found)
    looked = await ask(request, lambda way: way.look(ids, seconds=seconds), waits=seconds > 0)
    trouble = {name: {"reason": reason, "message": message} for name, (reason, message) in looked.trouble.items()}
    return answer({"unanswered": list(looked.unanswered), "trouble": trouble})
