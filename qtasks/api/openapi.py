"""The OpenAPI document: the schemas of what is sent, the problem documents that may come back, and examples."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

from qtasks.api.bodies import CIRCUITS, JSON, LONGEST_KEY, MOST_JOBS, YAML
from qtasks.api.documents import Problem
from qtasks.api.problems import MEDIA_TYPE
from qtasks.resources import KINDS
from qtasks.resources.schema import Generator

BELL = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nh q[0];\ncx q[0],q[1];\nmeasure q -> c;\n'
BELL_JOB = {
    "metadata": {"labels": {"algorithm": "bell"}},
    "spec": {
        "backend": {"type": "local_simulator"},
        "circuit": {"source": "inline", "code": BELL},
        "execution": {"shots": 1000, "seedSimulator": 42},
    },
}
_REFUSALS = {
    400: "The body cannot be read (`UnreadableBody`).",
    401: "No token, or one that is not good: `TokenRequired`, `TokenInvalid`, `TokenExpired`.",
    403: "The caller may not: `Forbidden`, `UrgentNotAllowed`, `QuotaExceeded`, `CrossOrigin`.",
    404: "There is nothing of that name, or it is not the caller's to know.",
    406: "None of the accepted types can be given.",
    408: "The body did not come in time (`BodyTimeout`).",
    409: "It contradicts what is there. Of a result: the job goes on (`JobNotFinal`), or failed for its own reason.",
    410: "The result was removed: its namespace keeps objects no longer (`ResultExpired`).",
    413: "The body, or a circuit in it, is too large (`TooLarge`).",
    415: "The body's type is not taken (`UnsupportedMediaType`).",
    421: "The server does not have this name (`HostNotAllowed`).",
    422: "What was sent is wrong; `details.problems` says where, of a document.",
    429: "Too many requests (`RateLimited`).",
    500: "The server's fault.",
    503: "Database, broker or object store cannot be reached.",
}
_ALWAYS = (401, 403, 421, 422, 429, 500, 503)
_WITH_BODY = (400, 408, 413, 415)
_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_REQUEST_ID = {"description": "The request's name in the server's log.", "schema": {"type": "string"}, "required": True}
_SECONDS = {"description": "Seconds to wait.", "schema": {"type": "string", "pattern": "^[0-9]+$"}, "required": True}


def refusals(*codes: int, body: bool = False) -> dict[int | str, dict[str, Any]]:
    """The problem documents that an operation may answer with, beside those that all may."""
    found: dict[int | str, dict[str, Any]] = {}
    for code in sorted({*_ALWAYS, *codes, *(_WITH_BODY if body else ())}):
        headers: dict[str, Any] = {}
        if code in (429, 503):
            headers["Retry-After"] = _SECONDS
        if code == 401:
            headers["WWW-Authenticate"] = {"schema": {"type": "string"}, "required": True}
        found[code] = {"description": _REFUSALS[code], "content": _PROBLEM, "headers": headers}
    return found


def header(description: str, pattern: str | None = None) -> dict[str, Any]:
    """A header that an answer always has."""
    schema = {"type": "string"} if pattern is None else {"type": "string", "pattern": pattern}
    return {"description": description, "schema": schema, "required": True}


def body(schema: dict[str, Any], examples: dict[str, Any], *, yaml: bool = False) -> dict[str, Any]:
    """A request's body in JSON, and in YAML."""
    shown = {name: {"value": value} for name, value in examples.items()}
    content = {kind: {"schema": schema, "examples": shown} for kind in ((JSON, YAML) if yaml else (JSON,))}
    return {"requestBody": {"required": True, "content": content}}


def jobs_body() -> dict[str, Any]:
    """The body of a submission: a job, a List, or a bare circuit."""
    schema = {"anyOf": [{"$ref": "#/components/schemas/QiskitJob"}, {"$ref": "#/components/schemas/QiskitJobList"}]}
    listed = {"kind": "List", "items": [BELL_JOB, BELL_JOB], "idempotencyKeys": ["bell-1", None]}
    found = body(schema, {"bell": BELL_JOB, "two": listed}, yaml=True)
    for kind in CIRCUITS:
        binary = kind == CIRCUITS[-1]
        text = {"type": "string", "pattern": r"\S", **({"format": "binary"} if binary else {})}
        example = {} if binary else {"examples": {"bell": {"value": BELL}}}
        found["requestBody"]["content"][kind] = {"schema": text, **example}
    return found


def kept_body(kind: str, example: dict[str, Any]) -> dict[str, Any]:
    """The body that keeps a resource, which has a name then."""
    named = {"required": ["metadata"], "properties": {"metadata": {"required": ["name"]}}}
    schema = {"allOf": [{"$ref": f"#/components/schemas/{kind}"}, named]}
    return body(schema, {"example": example}, yaml=True)


def links(of: str, *operations: str) -> dict[str, Any]:
    """What can be asked next of what an answer names, by the parameter that takes it."""
    field, parameter = ("uid", "id") if of == "job" else ("name", "name")
    parameters = {
        f"path.{parameter}": f"$response.body#/metadata/{field}",
        "query.namespace": "$response.body#/metadata/namespace",
    }
    return {operation: {"operationId": operation, "parameters": parameters} for operation in operations}


class _Accepted(Generator):
    """As `docs/schemas` has it, but for null, which a program may send of a field that it does not want."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return {"anyOf": [super().nullable_schema(schema), {"type": "null"}]}


@lru_cache(maxsize=1)
def _kinds() -> dict[str, Any]:
    """The four kinds and their parts as components; of a job `apiVersion` and `kind` may be left out."""
    found: dict[str, Any] = {}
    for kind, model in KINDS.items():
        schema = model.model_json_schema(
            by_alias=True, ref_template="#/components/schemas/{model}", schema_generator=_Accepted
        )
        found |= schema.pop("$defs", {})
        found[kind] = {**schema, "required": ["spec"]}
    found["QiskitJobList"] = {
        "type": "object",
        "description": "Jobs that are submitted together: all or none.",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"const": "List"},
            "metadata": {"type": "object"},
            "items": {
                "type": "array",
                "items": {"$ref": "#/components/schemas/QiskitJob"},
                "minItems": 1,
                "maxItems": MOST_JOBS,
            },
            "idempotencyKeys": {
                "type": "array",
                "description": "A key, or null, for each item.",
                "items": {"type": ["string", "null"], "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[!-~]+$"},
            },
        },
        "required": ["kind", "items"],
        "additionalProperties": False,
    }
    return found


def install(app: FastAPI) -> None:
    """Let the application describe itself so."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        tags=app.openapi_tags,
    )
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas |= _kinds() | {"Problem": Problem.model_json_schema()}
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A token of `qtasks auth token NAME`."}
    }
    for path, methods in found["paths"].items():
        for operation in methods.values():
            if path.startswith("/v1/"):
                # An installation without principals asks for none.
                operation["security"] = [{"token": []}, {}]
            for response in operation["responses"].values():
                response.setdefault("headers", {})["X-Request-ID"] = _REQUEST_ID
            for parameter in operation.get("parameters", ()):
                _never_null(parameter["schema"])
    return found


def _never_null(schema: dict[str, Any]) -> None:
    """Say of a parameter that may be left out nothing of null, which no address can hold."""
    if "anyOf" in schema:
        (kind,) = (one for one in schema.pop("anyOf") if one != {"type": "null"})
        for key, value in kind.items():
            schema.setdefault(key, value)
