"""Many jobs at once, by id: their phases, their places, their end."""

from __future__ import annotations

import time
import uuid
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from qtasks.api import documents
from qtasks.api.answers import answer
from qtasks.api.bodies import Body
from qtasks.api.openapi import body, refusals
from qtasks.api.parameters import LONGEST_WAIT, refuse_unknown
from qtasks.api.serving import ask, serving
from qtasks.client.gateway import Gateway
from qtasks.client.submission import is_id
from qtasks.errors import InvalidInput
from qtasks.lifecycle import Phase

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], dependencies=[Depends(refuse_unknown)])

_MOST = 1000
_ID = {
    "type": "string",
    "format": "uuid",
    "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
}
_IDS = {"type": "array", "items": _ID, "maxItems": _MOST}
WAIT = {"type": "number", "minimum": 0, "maximum": LONGEST_WAIT, "default": 0}
EXAMPLE = {"ids": ["0198c0de-0000-7000-8000-000000000000"]}


def ids_schema(**more: Any) -> dict[str, Any]:
    properties = {"ids": _IDS, **more}
    return {"type": "object", "properties": properties, "required": ["ids"], "additionalProperties": False}


async def ids_of(request: Request, *more: str) -> tuple[list[str], dict[str, Any]]:
    """The ids of a body, each once, and the rest of it. Raises InvalidInput."""
    found = Body(await request.body(), request.headers.get("content-type")).plain()
    if not isinstance(found, dict) or found.keys() - {"ids", *more}:
        raise wrong(f"It is an object of {', '.join(('ids', *more))}.")
    ids = found.get("ids")
    if not isinstance(ids, list) or len(ids) > _MOST or not all(isinstance(one, str) and is_id(one) for one in ids):
        raise wrong(f"`ids` is a list of at most {_MOST} ids of jobs.")
    return list(dict.fromkeys(str(uuid.UUID(one)) for one in ids)), found


def wait_of(found: dict[str, Any]) -> float:
    """The seconds that a body asks to wait. Raises InvalidInput."""
    wait = found.get("wait", 0)
    if isinstance(wait, bool) or not isinstance(wait, (int, float)) or not 0 <= wait <= LONGEST_WAIT:
        raise wrong(f"`wait` is a number of seconds, 0 to {LONGEST_WAIT:g}.")
    return float(wait)


def wrong(sentence: str) -> InvalidInput:
    return InvalidInput(sentence, reason="InvalidBody", hint="See the schema at /openapi.json.")


@router.post(
    "/phases",
    operation_id="phasesOfJobs",
    summary="Phases of many jobs",
    responses={200: {"model": documents.Phases, "description": "The phase of each."}, **refusals(404, body=True)},
    openapi_extra=body(
        ids_schema(
            wait=WAIT,
            known={"type": "object", "additionalProperties": {"enum": [phase.value for phase in Phase]}},
        ),
        {"one": {**EXAMPLE, "wait": 0}},
        yaml=True,
    ),
)
async def phases_of_jobs(request: Request) -> Response:
    """The phases of up to 1000 jobs. With `wait`, seconds, the answer comes when one differs from what is `known` of
    it, or is final when nothing is; at the end of the time as it is."""
    ids, found = await ids_of(request, "wait", "known")
    wait, known = wait_of(found), found.get("known", {})
    if not isinstance(known, dict) or not all(each in list(Phase) for each in known.values()):
        raise wrong(f"`known` has a phase for each id: {', '.join(Phase)}.")
    until = time.monotonic() + wait
    async with serving(request).changes.watch(ids if wait else [], request.is_disconnected) as watch:
        while True:
            phases = await ask(request, lambda way: way.phases(ids))
            news = any(phases[one] != known[one] if one in known else phases[one].final for one in ids)
            left = until - time.monotonic()
            if news or left <= 0 or not ids or not await watch.news(left):
                return answer({"phases": phases})


@router.post(
    "/queues",
    operation_id="queuesOfJobs",
    summary="Places of many jobs",
    responses={
        200: {"model": documents.Queues, "description": "The place of each that waits."},
        **refusals(404, body=True),
    },
    openapi_extra=body(ids_schema(), {"one": EXAMPLE}, yaml=True),
)
async def queues_of_jobs(request: Request) -> Response:
    """Of those of up to 1000 jobs that wait: their place in the queue and when they may start."""
    ids, _ = await ids_of(request)
    return answer({"queues": await ask(request, lambda way: way.queues(ids))})


@router.post(
    "/cancel",
    operation_id="cancelJobs",
    summary="Cancel many jobs",
    responses={200: {"model": documents.CancelledMany, "description": "All are final."}, **refusals(404, body=True)},
    openapi_extra=body(ids_schema(), {"one": EXAMPLE}, yaml=True),
)
async def cancel_jobs(request: Request) -> Response:
    """Cancel up to 1000 jobs; answers which of them this ended. Jobs that were final already are left out."""
    ids, _ = await ids_of(request)

    def call(way: Gateway) -> list[str]:
        return way.cancel(ids) if ids else []

    return answer({"cancelled": await ask(request, call)})
