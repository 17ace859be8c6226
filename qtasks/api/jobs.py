"""Jobs: submitted, listed, looked at, cancelled."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from qtasks.api import documents
from qtasks.api.answers import answer, encoded, known, tag, unless_known
from qtasks.api.bodies import Body, Options, submitted
from qtasks.api.openapi import header, jobs_body, links, refusals
from qtasks.api.parameters import (
    Flag,
    GitCommit,
    IdempotencyKey,
    IfNoneMatch,
    JobId,
    Labels,
    Limit,
    Namespace,
    Namespaces,
    Since,
    Text,
    Wait,
    moment,
    refuse_unknown,
    spaces,
    unslashed,
)
from qtasks.api.serving import ask, serving
from qtasks.client import gateway
from qtasks.client.gateway import Gateway, Handle
from qtasks.lifecycle import Phase

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], dependencies=[Depends(refuse_unknown)])

ETAG = header("What the answer is known by; send it back in If-None-Match.")
NOT_CHANGED = {"description": "It is as you know it.", "headers": {"ETag": ETAG}}


@router.post(
    "",
    operation_id="submit",
    summary="Submit jobs",
    status_code=201,
    responses={
        200: {"model": documents.SubmittedJob | documents.SubmittedList, "description": "All were there already."},
        201: {
            "model": documents.SubmittedJob | documents.SubmittedList,
            "description": "In the database: it cannot be lost any more.",
            "headers": {"Location": {"schema": {"type": "string"}, "description": "The job; absent for a List."}},
            "links": links("job", "status", "retrieveJob", "cancel", "listEvents", "logs"),
        },
        **refusals(406, 409, body=True),
    },
    openapi_extra=jobs_body(),
)
async def submit(
    request: Request,
    namespace: Namespace = "default",
    strict: Annotated[Flag, Query(description="Whether `namespace` is for all, also jobs that name one.")] = "false",
    name: Annotated[Text, Query(description="Of a bare circuit: the job's name.")] = None,
    shots: Annotated[int | None, Query(description="Of a bare circuit: shots.", ge=1, le=100_000)] = None,
    backend: Annotated[Text, Query(description="Of a bare circuit: `spec.backend.type`.")] = None,
    priority: Annotated[
        Literal["low", "normal", "high", "urgent"] | None, Query(description="Of a bare circuit: priority.")
    ] = None,
    seed_simulator: Annotated[
        int | None, Query(description="Of a bare circuit: seed of the simulator.", ge=0, le=2**63 - 1)
    ] = None,
    labels: Annotated[Text, Query(description="Of a bare circuit: labels, `a=b,c=d`.")] = None,
    idempotency_key: IdempotencyKey = None,
    git_commit: GitCommit = None,
) -> Response:
    """Submit a job, a List of jobs (all or none), or a bare circuit with its options in the address."""
    body = Body(await request.body(), request.headers.get("content-type"))
    options = Options(name, shots, backend, priority, seed_simulator, labels)
    settings = serving(request).settings

    def call(way: Gateway) -> tuple[list[Handle], dict[str, Phase], bool]:
        found = submitted(body, options, settings, key=idempotency_key, git_commit=git_commit)
        handles = way.submit(found.submissions, namespace, found.keys, strict=strict == "true")
        there = [handle.id for handle in handles if not handle.created]
        return handles, way.phases(there) if there else {}, found.many

    handles, phases, many = await ask(request, call)
    items = [_submitted(handle, phases.get(handle.id, Phase.PENDING)) for handle in handles]
    status = 201 if any(handle.created for handle in handles) else 200
    if many:
        return answer({"apiVersion": "v1", "kind": "List", "items": items}, status)
    return answer(items[0], status, {"Location": f"/v1/jobs/{handles[0].id}"})


def _submitted(handle: Handle, phase: Phase) -> dict[str, Any]:
    return {
        "apiVersion": "quantum.io/v1",
        "kind": "QiskitJob",
        "metadata": {"name": handle.name, "namespace": handle.namespace, "uid": handle.id},
        "status": {"phase": phase},
        "created": handle.created,
    }


@router.get(
    "",
    operation_id="listJobs",
    summary="List jobs",
    responses={200: {"model": documents.JobList, "description": "A page."}, **refusals()},
)
async def list_jobs(
    request: Request,
    namespace: Namespaces = "default",
    phase: Annotated[Phase | None, Query(description="Only jobs of this phase.")] = None,
    labels: Labels = None,
    backend: Annotated[Text, Query(description="Only jobs of this backend, as `status.backend` has it.")] = None,
    priority: Annotated[
        Literal["low", "normal", "high", "urgent"] | None, Query(description="Only jobs of this priority.")
    ] = None,
    since: Since = None,
    limit: Limit = 100,
    cursor: Annotated[
        str | None,
        Query(
            description="`metadata.continue` of the page before.",
            pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
        ),
    ] = None,
    queues: Annotated[Flag, Query(description="Whether to tell the places of those that wait.")] = "false",
) -> Response:
    """Jobs, the newest first, without their circuits."""
    query = gateway.Query(
        namespace=spaces(namespace),
        phase=phase,
        labels=labels,
        backend=backend,
        priority=priority,
        since=moment(since),
        before=cursor,
        limit=limit,
    )

    def call(way: Gateway) -> list[dict[str, Any]]:
        # One more than asked for says whether there is another page.
        found = way.jobs(replace(query, limit=limit + 1))
        if queues == "true":
            places = way.queues([job["metadata"]["uid"] for job in found[:limit]])
            for job in found:
                job["status"] |= {"queue": places[uid]} if (uid := job["metadata"]["uid"]) in places else {}
        return found

    found = await ask(request, call)
    page = found[:limit]
    more = page[-1]["metadata"]["uid"] if len(found) > limit else ""
    return answer({"apiVersion": "v1", "kind": "List", "metadata": {"continue": more}, "items": page})


@router.get(
    "/{id}",
    operation_id="status",
    summary="Look at a job",
    responses={
        200: {"model": documents.Job, "description": "The job, complete.", "headers": {"ETag": ETAG}},
        304: NOT_CHANGED,
        **refusals(404),
    },
)
async def status(
    request: Request,
    id: JobId,  # noqa: A002 - the field's name
    namespace: Namespace = "default",
    wait: Wait = 0,
    queues: Annotated[Flag, Query(description="Whether to tell its place among those that wait.")] = "false",
    if_none_match: IfNoneMatch = None,
) -> Response:
    """A job with its circuit, conditions and attempts. With `wait` the answer comes when the job is final or, with
    If-None-Match, differs from what you know; at the end of the time as it is."""
    until = time.monotonic() + wait
    found = await ask(request, lambda way: way.find(unslashed(id), namespace))
    async with serving(request).changes.watch([found.id] if wait else [], request.is_disconnected) as watch:
        while True:
            job = await ask(request, lambda way: way.describe(found.id, queues=queues == "true"))
            content = encoded(job)
            etag = tag(content)
            differs = if_none_match is not None and not known(request, etag)
            left = until - time.monotonic()
            if Phase(job["status"]["phase"]).final or differs or left <= 0 or not await watch.news(left):
                return unless_known(request, content, "application/json", etag)


@router.post(
    "/{id}/cancel",
    operation_id="cancel",
    summary="Cancel a job",
    responses={200: {"model": documents.Cancelled, "description": "It is final."}, **refusals(404)},
)
async def cancel(
    request: Request,
    id: JobId,  # noqa: A002 - the field's name
    namespace: Namespace = "default",
) -> Response:
    """Cancel a job at whatever phase it is."""

    def call(way: Gateway) -> dict[str, Any]:
        job_id = way.find(unslashed(id), namespace).id
        ended = way.cancel([job_id])
        return {"cancelled": bool(ended), "phase": way.phases([job_id])[job_id]}

    return answer(await ask(request, call))


@router.delete(
    "/{id}",
    operation_id="deleteJob",
    summary="Delete a job",
    responses={200: {"model": documents.Asked, "description": "It is gone."}, **refusals(404, 409)},
)
async def delete(
    request: Request,
    id: JobId,  # noqa: A002 - the field's name
    namespace: Namespace = "default",
) -> Response:
    """Delete a job with its circuit, events and result; one that goes on is cancelled first. What it cost stays in the
    books."""

    def call(way: Gateway) -> dict[str, Any]:
        found = way.find(unslashed(id), namespace)
        way.delete_job(found.id)
        return {"uid": found.id}

    return answer(await ask(request, call))


@router.post(
    "/{id}/redeliver",
    operation_id="redeliver",
    summary="Have a job's result delivered again",
    status_code=202,
    responses={
        202: {"model": documents.Asked, "description": "It will be: condition OutputDelivered says how that goes."},
        **refusals(404, 409, 410),
    },
)
async def redeliver(
    request: Request,
    id: JobId,  # noqa: A002 - the field's name
    namespace: Namespace = "default",
) -> Response:
    """Have the result of a Completed job delivered to its `spec.output` again."""

    def call(way: Gateway) -> dict[str, Any]:
        found = way.find(unslashed(id), namespace)
        way.redeliver(found.id)
        return {"uid": found.id}

    return answer(await ask(request, call), 202)


@router.get(
    "/{id}/explain",
    operation_id="explain",
    summary="Why a job runs where it does",
    responses={200: {"model": documents.Explanation, "description": "The choice."}, **refusals(404)},
)
async def explain(
    request: Request,
    id: JobId,  # noqa: A002 - the field's name
    namespace: Namespace = "default",
) -> Response:
    """Every device with its scores, price and wait, the chosen one first."""
    return answer(await ask(request, lambda way: way.explain(way.find(unslashed(id), namespace).id)))
