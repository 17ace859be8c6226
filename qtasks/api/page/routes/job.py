"""One job: looked at, cancelled, its result downloaded."""

from __future__ import annotations

import re
from urllib.parse import quote

from starlette.responses import Response

from qtasks.api.page import checked
from qtasks.api.page.rendering import SECURITY
from qtasks.api.page.views import job as view
from qtasks.api.page.views.choice import Choice, choice
from qtasks.api.page.visit import Visit
from qtasks.client.gateway import Document
from qtasks.client.submission import is_id
from qtasks.errors import NotFound, QTasksError
from qtasks.lifecycle import Phase
from qtasks.resources import BackendType
from qtasks.results import JobResult
from qtasks.results.formats import MEDIA_TYPES, render

_REFRESH_SECONDS = 1


def show(visit: Visit) -> Response:
    """All that is known of a job. One that is asked for by its name is looked up in the namespace of the query."""
    asked = visit.path["id"]
    if not is_id(asked):
        found = visit.gateway.find(asked, visit.query.get("namespace", "default"))
        return visit.go(f"/jobs/{found.id}")
    document = visit.gateway.describe(asked, queues=True)
    events = visit.gateway.events(asked)
    result, trouble = _result(visit, document)
    shown = view.view(document, events, result, visit.now)
    circuit = checked.kept(visit.installation, document)
    return visit.page(
        "job.html",
        here="jobs",
        refresh=0 if shown.final else _REFRESH_SECONDS,
        job=shown,
        pictures=checked.pictures(circuit, shown.head.id),
        choice=_choice(visit, document),
        trouble=trouble,
        formats=[name for name in MEDIA_TYPES if name != "qpy" or _as_qpy(circuit) is not None],
        too_late="late" in visit.query,
    )


def _result(visit: Visit, document: Document) -> tuple[JobResult | None, QTasksError | None]:
    """The result of a Completed job, or why it cannot be read: the rest of the page can."""
    if document["status"]["phase"] != Phase.COMPLETED:
        return None, None
    try:
        return visit.gateway.result(document["metadata"]["uid"]), None
    except QTasksError as error:
        return None, error


def _choice(visit: Visit, document: Document) -> Choice | None:
    """Why the job runs where it does; None where nothing was to be chosen."""
    spec = document["spec"]
    here = spec.get("backend", {}).get("type", BackendType.LOCAL_SIMULATOR) == BackendType.LOCAL_SIMULATOR
    if here and "backendSelection" not in spec:
        return None
    try:
        return choice(visit.gateway.explain(document["metadata"]["uid"]))
    except NotFound:
        return None


def cancel(visit: Visit) -> Response:
    """Cancel a job, and look at it; it is said when it was final already."""
    job_id = visit.gateway.find(visit.path["id"], "default").id
    late = "" if visit.gateway.cancel([job_id]) else "?late"
    return visit.go(f"/jobs/{job_id}{late}")


def download(visit: Visit) -> Response:
    """The result as a file."""
    job = visit.gateway.find(visit.path["id"], "default")
    written = visit.path["format"]
    result, circuit = visit.gateway.result(job.id), None
    if written == "qpy":
        circuit = _as_qpy(checked.kept(visit.installation, visit.gateway.describe(job.id)))
    content = render(result, written, circuit)
    name = re.sub(r"[^A-Za-z0-9._-]", "_", f"{job.name}.{written}")
    headers = {
        **SECURITY,
        "Cache-Control": "no-store",
        "Content-Disposition": f"attachment; filename=\"{name}\"; filename*=UTF-8''{quote(name)}",
    }
    return Response(content, 200, headers, MEDIA_TYPES[written])


def _as_qpy(circuit: bytes | None) -> bytes | None:
    """The checked circuit, where it is QPY."""
    return None if circuit is None or checked.is_several(circuit) else circuit
