"""What jobs may cost, did cost, and under whose account: estimates, costs, accounts, the caller."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from qtasks.api import documents
from qtasks.api.answers import answer
from qtasks.api.bodies import Body, Options, submitted
from qtasks.api.openapi import jobs_body, refusals
from qtasks.api.parameters import Flag, Namespace, Namespaces, Since, moment, refuse_unknown, spaces
from qtasks.api.serving import ask, serving
from qtasks.client.gateway import Gateway

router = APIRouter(prefix="/v1", tags=["money"], dependencies=[Depends(refuse_unknown)])


@router.post(
    "/estimate",
    operation_id="estimate",
    summary="What jobs would cost",
    responses={
        200: {"model": documents.Items, "description": "An estimate for each."},
        **refusals(404, 406, 409, body=True),
    },
    openapi_extra=jobs_body(),
)
async def estimate(
    request: Request,
    namespace: Namespace = "default",
    strict: Annotated[Flag, Query(description="Whether `namespace` is for all, also jobs that name one.")] = "false",
) -> Response:
    """What submitting the same would choose for each job, with cost and time; nothing is submitted."""
    body = Body(await request.body(), request.headers.get("content-type"))
    settings = serving(request).settings

    def call(way: Gateway) -> list[dict[str, Any]]:
        found = submitted(body, Options(), settings)
        return way.estimate(found.submissions, namespace, strict=strict == "true")

    return answer({"items": await ask(request, call)})


@router.get(
    "/accuracy",
    operation_id="accuracy",
    summary="How wrong estimates were",
    responses={200: {"model": documents.Accuracy, "description": "Medians in seconds."}, **refusals()},
)
async def accuracy(request: Request, namespace: Namespace = "default") -> Response:
    """How wrong past estimates of starts were in a namespace."""
    return answer(await ask(request, lambda way: way.accuracy(namespace)))


@router.get(
    "/accounts",
    operation_id="listAccounts",
    summary="Accounts of providers",
    responses={200: {"model": documents.KeptList, "description": "All of them."}, **refusals()},
)
async def accounts(request: Request, namespace: Namespaces = "default") -> Response:
    """The accounts that the namespace's jobs may run under and how each stands, quantum time in seconds."""
    found = await ask(request, lambda way: way.accounts(spaces(namespace)))
    return answer({"apiVersion": "v1", "kind": "List", "items": found})


@router.get(
    "/costs",
    operation_id="costs",
    summary="What jobs cost",
    responses={200: {"model": documents.Items, "description": "The dearest first; amounts as text."}, **refusals()},
)
async def costs(
    request: Request,
    by: Annotated[
        str,
        Query(
            description="namespace, cost-center, backend, account, month, job or `label:KEY`.",
            pattern="^(namespace|cost-center|backend|account|month|job|label:[A-Za-z0-9._/-]{1,317})$",
        ),
    ] = "namespace",
    since: Since = None,
    until: Since = None,
    namespace: Namespaces = "default",
) -> Response:
    """What jobs cost, from `since` until just before `until`, in exact US dollars."""
    times = {"since": moment(since), "until": moment(until)}
    return answer({"items": await ask(request, lambda way: way.costs(by, namespace=spaces(namespace), **times))})


@router.get(
    "/discrepancies",
    operation_id="discrepancies",
    summary="Where the books do not agree",
    responses={200: {"model": documents.Sentences, "description": "A sentence for each."}, **refusals()},
)
async def discrepancies(request: Request) -> Response:
    """Where the books of what was charged do not agree to the micro-dollar."""
    return answer({"items": await ask(request, lambda way: way.discrepancies())})


@router.get(
    "/whoami",
    operation_id="whoami",
    summary="Who asks",
    responses={200: {"model": documents.Caller, "description": "The caller and its roles."}, **refusals()},
)
async def whoami(request: Request) -> Response:
    """Who asks, and in which roles."""
    return answer(dict(await ask(request, lambda way: way.whoami())))
