"""What is kept beside jobs: budgets, sessions, backends. The same four operations for each."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from qtasks.api import documents
from qtasks.api.answers import answer
from qtasks.api.bodies import Body, resource_of
from qtasks.api.openapi import kept_body, links, refusals
from qtasks.api.parameters import (
    DeviceName,
    Name,
    Namespace,
    Namespaces,
    OwnNamespace,
    refuse_unknown,
    spaces,
    unslashed,
)
from qtasks.api.serving import ask
from qtasks.client.gateway import Gateway, Kept

_KINDS: dict[Kept, tuple[str, str, dict[str, Any]]] = {
    Kept.BUDGETS: (
        "QiskitBudget",
        "Budget",
        {"metadata": {"name": "research"}, "spec": {"limit": "$100.00", "period": "monthly"}},
    ),
    Kept.SESSIONS: (
        "QiskitSession",
        "Session",
        {"metadata": {"name": "vqe"}, "spec": {"backend": {"type": "ibm_quantum", "name": "ibm_fez"}}},
    ),
    Kept.BACKENDS: (
        "QiskitBackend",
        "Backend",
        {"metadata": {"name": "fez"}, "spec": {"type": "ibm_quantum", "name": "ibm_fez"}},
    ),
}


def router(kind: Kept) -> APIRouter:
    """The operations of one kind."""
    resource, word, example = _KINDS[kind]
    routes = APIRouter(prefix=f"/v1/{kind.value}", tags=[kind.value], dependencies=[Depends(refuse_unknown)])
    named: Any = DeviceName if kind is Kept.BACKENDS else Name
    one = documents.KeptList if kind is Kept.BACKENDS else documents.Kept

    @routes.get(
        "",
        operation_id=f"list{word}s",
        summary=f"List {kind.value}",
        responses={200: {"model": documents.KeptList, "description": "All of them."}, **refusals()},
    )
    async def listing(request: Request, namespace: Namespaces = "default") -> Response:
        return _listed(await ask(request, lambda way: way.listing(kind, spaces(namespace))))

    @routes.post(
        "",
        operation_id=f"apply{word}",
        summary=f"Keep a {kind.value[:-1]}",
        status_code=201,
        responses={
            200: {"model": documents.Applied, "description": "It was there: unchanged, or configured anew."},
            201: {
                "model": documents.Applied,
                "description": "Created.",
                "links": links(kind.value, f"get{word}", f"delete{word}"),
            },
            **refusals(404, 409, body=True),
        },
        openapi_extra=kept_body(resource, example),
    )
    async def apply(request: Request, namespace: OwnNamespace = None) -> Response:
        body = Body(await request.body(), request.headers.get("content-type"))

        def call(way: Gateway) -> dict[str, Any]:
            found = resource_of(body, resource)
            done = way.apply(kind, found, namespace)
            metadata = {"name": found.metadata.name, "namespace": namespace or found.metadata.namespace}
            return {"apiVersion": found.api_version, "kind": found.kind, "metadata": metadata, "result": done}

        done = await ask(request, call)
        return answer(done, 201 if done["result"] == "created" else 200)

    async def look(request: Request, name: Any, namespace: Namespace = "default") -> Response:
        found = await ask(request, lambda way: way.kept(kind, unslashed(name), namespace))
        return _listed(found) if kind is Kept.BACKENDS else answer(found[0])

    async def delete(request: Request, name: Any, namespace: Namespace = "default") -> Response:
        return answer(await ask(request, lambda way: way.delete(kind, unslashed(name), namespace)))

    for function in (look, delete):
        function.__annotations__["name"] = named
    routes.get(
        "/{name}",
        operation_id=f"get{word}",
        summary=f"Look at a {kind.value[:-1]}",
        description="A List: of a device one document for each account that has it." if kind is Kept.BACKENDS else "",
        responses={200: {"model": one, "description": "As it stands."}, **refusals(404)},
    )(look)
    routes.delete(
        "/{name}",
        operation_id=f"delete{word}",
        summary=f"Keep a {kind.value[:-1]} no longer",
        responses={200: {"model": documents.Deleted, "description": "What it was."}, **refusals(404, 409)},
    )(delete)
    return routes


def _listed(items: list[dict[str, Any]]) -> Response:
    return answer({"apiVersion": "v1", "kind": "List", "items": items})
