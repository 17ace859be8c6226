"""The addresses of the page."""

from __future__ import annotations

from fastapi import APIRouter

from qtasks.api.page.routes import files, job, jobs, money, queues, session, submit
from qtasks.api.page.visit import Handler, endpoint


def router() -> APIRouter:
    """All of the page; none of it is in the schema of the API."""
    made = APIRouter()
    pages: tuple[tuple[str, str, Handler], ...] = (
        ("GET", "/", jobs.show),
        ("GET", "/jobs/{id}", job.show),
        ("GET", "/jobs/{id}/result.{format}", job.download),
        ("POST", "/jobs/{id}/cancel", job.cancel),
        ("GET", "/budgets", money.budgets),
        ("GET", "/accounts", money.accounts),
        ("GET", "/queues", queues.show),
        ("GET", "/submit", submit.show),
        ("POST", "/submit", submit.send),
        ("GET", "/login", session.show),
        ("POST", "/login", session.log_in),
        ("POST", "/logout", session.log_out),
    )
    for method, path, handle in pages:
        made.add_route(path, endpoint(handle), methods=[method], include_in_schema=False)
    made.add_route("/page/{name}", files.show, methods=["GET"], include_in_schema=False)
    made.add_route("/favicon.ico", files.icon, methods=["GET"], include_in_schema=False)
    return made
