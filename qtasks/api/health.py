"""Whether the server lives, and whether what it works with does. No token is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fastapi import APIRouter, Request, Response
from sqlalchemy import text

from qtasks.api import documents
from qtasks.api.answers import answer
from qtasks.api.openapi import refusals
from qtasks.api.serving import Serving, serving
from qtasks.errors import NotFound, QTasksError, Unavailable
from qtasks.queue import redis_client

router = APIRouter(tags=["health"])

_SECONDS = 5.0
_ABSENT = "qtasks-readiness"


@router.get(
    "/healthz",
    operation_id="healthz",
    summary="Whether the server lives",
    responses={200: {"model": documents.Alive, "description": "It does."}},
)
async def healthz() -> Response:
    """Answers while the process does; asks nothing else."""
    return answer({"status": "ok"})


@router.get(
    "/readyz",
    operation_id="readyz",
    summary="Whether jobs can be taken",
    responses={200: {"model": documents.Ready, "description": "They can."}, 503: refusals()[503]},
)
async def readyz(request: Request) -> Response:
    """Tries database, broker and object store; 503 says in `details.checks` which is away."""
    here = serving(request)
    probes: dict[str, Callable[[Serving], None]] = {"database": _database, "broker": _broker, "objects": _objects}
    found = await asyncio.gather(*(_tried(here, probe) for probe in probes.values()))
    checks = dict(zip(probes, found, strict=True))
    away = [name for name, said in checks.items() if said != "ok"]
    if away:
        raise Unavailable(
            f"Cannot be used: {', '.join(away)}.",
            reason="NotReady",
            hint="See details.checks.",
            details={"checks": checks},
        )
    return answer({"status": "ok", "checks": checks})


async def _tried(here: Serving, probe: Callable[[Serving], None]) -> str:
    try:
        await asyncio.wait_for(asyncio.to_thread(probe, here), _SECONDS)
    except TimeoutError:
        return f"no answer within {_SECONDS:g} s"
    except QTasksError as error:
        return error.reason
    except Exception as error:  # whatever its library raises, it cannot be used
        return type(error).__name__
    return "ok"


def _database(here: Serving) -> None:
    with here.installation.store.read() as tx:
        tx.execute(text("SELECT 1"))


def _broker(here: Serving) -> None:
    client = redis_client(here.settings.broker)
    try:
        client.ping()
    finally:
        client.close()


def _objects(here: Serving) -> None:
    try:
        here.installation.objects.get(_ABSENT)
    except NotFound:
        return
