"""The result of a job, in the form that its caller accepts."""

from __future__ import annotations

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from qtasks.api import documents
from qtasks.api.answers import unless_known
from qtasks.api.jobs import ETAG, NOT_CHANGED
from qtasks.api.negotiation import choose
from qtasks.api.openapi import refusals
from qtasks.api.page import checked
from qtasks.api.parameters import IfNoneMatch, JobId, Namespace, Wait, refuse_unknown, unslashed
from qtasks.api.serving import ask, serving
from qtasks.client.direct import Installation
from qtasks.client.gateway import Gateway
from qtasks.results import encode
from qtasks.results.encoding import digest
from qtasks.results.formats import render

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], dependencies=[Depends(refuse_unknown)])

EXACT = "application/vnd.qtasks.result"
TYPES = {
    "application/json": "json",
    "text/csv": "csv",
    "application/x-qpy": "qpy",
    "application/x-pickle": "pickle",
    EXACT: "",
}
_BYTES = {"schema": {"type": "string", "format": "binary"}}


@router.get(
    "/{id}/result",
    operation_id="retrieveJob",
    summary="Retrieve a result",
    responses={
        200: {
            "model": documents.Result,
            "description": "The result.",
            "headers": {"ETag": ETAG},
            "content": {"text/csv": {"schema": {"type": "string"}}, **dict.fromkeys(list(TYPES)[2:], _BYTES)},
        },
        304: NOT_CHANGED,
        **refusals(404, 406, 409, 410),
    },
)
async def retrieve_job(
    request: Request,
    id: JobId,  # noqa: A002 - the field's name
    namespace: Namespace = "default",
    wait: Wait = 0,
    format: Annotated[  # noqa: A002 - the field's name
        Literal["json", "csv", "qpy", "pickle"] | None, Query(description="The form, whatever Accept says.")
    ] = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """The result of a Completed job, as Accept asks: JSON, CSV, QPY, a pickle of Qiskit's own object, or exactly what
    is stored (`application/vnd.qtasks.result`). With `wait`, the answer waits for the job. 409 with the job's own
    reason when it failed, `JobNotFinal` while it goes on; 410 (`ResultExpired`) when the result is kept no longer."""
    until = time.monotonic() + wait
    accept = request.headers.get("accept")
    media = choose(accept, list(TYPES)) if format is None else next(key for key in TYPES if TYPES[key] == format)
    found = await ask(request, lambda way: way.find(unslashed(id), namespace))
    if wait:
        async with serving(request).changes.watch([found.id], request.is_disconnected) as watch:
            while (left := until - time.monotonic()) > 0:
                phases = await ask(request, lambda way: way.phases([found.id]))
                if phases[found.id].final or not await watch.news(left):
                    break

    def call(way: Gateway) -> tuple[bytes, str]:
        result = way.result(found.id)
        stored = encode(result)
        etag = digest(stored)
        if media == EXACT:
            return stored, f'"{etag}"'
        circuit = _circuit(way, serving(request).installation, found.id) if TYPES[media] == "qpy" else None
        return render(result, TYPES[media], circuit), f'"{etag}.{TYPES[media]}"'

    content, etag = await ask(request, call)
    return unless_known(request, content, media, etag, Vary="Accept")


def _circuit(way: Gateway, installation: Installation, job_id: str) -> bytes | None:
    """The checked circuit of a job; None where it is not kept, or there are several."""
    found = checked.kept(installation, way.describe(job_id))
    return None if found is None or checked.is_several(found) else found
