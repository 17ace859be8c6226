"""The peer of `bench.api`: a FastAPI application that takes the same body and answers a constant."""

from __future__ import annotations

from fastapi import FastAPI, Request
from starlette.responses import Response

app = FastAPI()


@app.post("/v1/jobs", status_code=201)
async def submit(request: Request) -> Response:
    """Read the body, and answer what a submission is answered."""
    await request.body()
    return Response(
        b'{"apiVersion":"quantum.io/v1","kind":"QiskitJob","status":{"phase":"Pending"},"created":true}', 201
    )
