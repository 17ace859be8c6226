"""The list of jobs."""

from __future__ import annotations

from starlette.responses import Response

from qtasks.api.page.views import jobs as view
from qtasks.api.page.visit import Visit
from qtasks.client.gateway import Document
from qtasks.errors import InvalidInput

_AT_ONCE = 200
_REFRESH_SECONDS = 3


def show(visit: Visit) -> Response:
    """A page of jobs, the newest first. What is wrong with a filter is said beside it."""
    filters = view.Filters.of(visit.query)
    error: InvalidInput | None = None
    found: list[Document] = []
    older = ""
    try:
        found, older = _found(visit, filters)
    except InvalidInput as refused:
        error = refused
    return visit.page(
        "jobs.html",
        200 if error is None else 422,
        here="jobs",
        refresh=_REFRESH_SECONDS if error is None else 0,
        filters=filters,
        error=error,
        rows=[view.row(document, visit.now) for document in found],
        older=older,
        choices=view,
    )


def _found(visit: Visit, filters: view.Filters) -> tuple[list[Document], str]:
    """A page of jobs, and the id of the last one that was looked at where there may be more."""
    before, found, looked = filters.before or None, list[Document](), 0
    while True:
        limit = _AT_ONCE if filters.text else view.PER_PAGE + 1
        page = visit.gateway.jobs(filters.query(before, limit))
        found += [one for one in page if not filters.text or view.has(filters.text, one)]
        looked += len(page)
        if len(found) > view.PER_PAGE:
            found = found[: view.PER_PAGE]
            return found, found[-1]["metadata"]["uid"]
        if len(page) < limit:
            return found, ""
        before = page[-1]["metadata"]["uid"]
        if looked >= view.LOOKED_AT:
            return found, before
