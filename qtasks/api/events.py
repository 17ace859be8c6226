"""What happens to a job: its events as a list or as they come, and its log."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from starlette.responses import StreamingResponse

from qtasks.api import documents
from qtasks.api.answers import answer, encoded
from qtasks.api.negotiation import choose
from qtasks.api.openapi import refusals
from qtasks.api.parameters import JobId, Namespace, refuse_unknown, unslashed
from qtasks.api.serving import ask, serving
from qtasks.client.gateway import Gateway
from qtasks.errors import QTasksError
from qtasks.lifecycle import Phase

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], dependencies=[Depends(refuse_unknown)])

STREAM = "text/event-stream"
_HEARTBEAT_SECONDS = 15.0
"""How often a silent stream says that it lives: proxies close what is silent, and a dead reader is noticed."""

After = Annotated[int, Query(description="Only events after this number.", ge=0, le=2**63 - 1)]


@router.get(
    "/{id}/events",
    operation_id="listEvents",
    summary="Events of a job",
    responses={
        200: {
            "model": documents.Events,
            "description": "The events, the oldest first.",
            "content": {STREAM: {"schema": {"type": "string"}}},
        },
        204: {"description": "The job is final and `Last-Event-ID` was its last: there is nothing to stream."},
        **refusals(404, 406),
    },
)
async def list_events(
    request: Request,
    id: JobId,  # noqa: A002 - the field's name
    namespace: Namespace = "default",
    after: After = 0,
    last_event_id: Annotated[
        str | None, Header(description="Of a stream: the last event that was seen.", pattern="^[0-9]{1,18}$")
    ] = None,
) -> Response:
    """The events of a job. With `Accept: text/event-stream` each comes when it happens, with its number as id, and
    beside them an event `phase` for each change of phase; the stream ends with the job."""
    media = choose(request.headers.get("accept"), ["application/json", STREAM])
    found = await ask(request, lambda way: way.find(unslashed(id), namespace))
    if media != STREAM:
        return answer({"items": await ask(request, lambda way: way.events(found.id, after=after))})
    start = max(after, int(last_event_id or 0))
    phase, events = await _look(request, found.id, start)
    if phase.final and not events and start:
        return Response(status_code=204)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_stream(request, found.id, start), 200, headers, STREAM)


async def _look(request: Request, job_id: str, after: int) -> tuple[Phase, list[dict[str, Any]]]:
    def call(way: Gateway) -> tuple[Phase, list[dict[str, Any]]]:
        # The phase first: the event of a final phase is written with it, so that it is among those that are read next.
        phase = way.phases([job_id])[job_id]
        return phase, way.events(job_id, after=after)

    return await ask(request, call)


async def _stream(request: Request, job_id: str, after: int) -> AsyncIterator[bytes]:
    last: Phase | None = None
    said = time.monotonic()
    async with serving(request).changes.watch([job_id]) as watch:
        while True:
            try:
                phase, events = await _look(request, job_id, after)
            except QTasksError:
                return  # deleted, or no longer the caller's to see; who comes again is told which
            for event in events:
                after = event["id"]
                yield b"id: %d\ndata: %s\n\n" % (after, encoded(event))
            if phase is not last:
                last = phase
                yield b"event: phase\ndata: %s\n\n" % encoded({"phase": phase})
            if phase.final:
                return
            if events or time.monotonic() - said > _HEARTBEAT_SECONDS:
                said = time.monotonic()
            if not await watch.news(_HEARTBEAT_SECONDS):
                return
            if time.monotonic() - said > _HEARTBEAT_SECONDS:
                yield b": still there\n\n"


@router.get(
    "/{id}/logs",
    operation_id="logs",
    summary="Log of a job",
    responses={
        200: {"description": "The log.", "content": {"text/plain": {"schema": {"type": "string"}}}},
        **refusals(404),
    },
    response_class=Response,
)
async def logs(
    request: Request,
    id: JobId,  # noqa: A002 - the field's name
    namespace: Namespace = "default",
    after: After = 0,
) -> Response:
    """What happened to the job and what its source printed, a line each with its time in UTC."""

    def call(way: Gateway) -> str:
        events = way.events(way.find(unslashed(id), namespace).id, after=after)
        return "".join(_line(event) for event in events)

    return Response(await ask(request, call), media_type="text/plain; charset=utf-8")


def _line(event: dict[str, Any]) -> str:
    return f"{event['time']} {'WARNING' if event['type'] == 'Warning' else 'INFO   '} {event['reason']}: " + (
        f"{event['message']}\n"
    )
