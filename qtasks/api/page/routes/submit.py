"""Submitting a job from a form."""

from __future__ import annotations

import secrets

from starlette.responses import Response

from qtasks.api import problems
from qtasks.api.page.views import jobs as choices
from qtasks.api.page.views.fields import Fields, by_field
from qtasks.api.page.visit import Visit
from qtasks.errors import Conflict, Forbidden, InvalidInput
from qtasks.telemetry import metrics

_FIRST = """OPENQASM 3.0;
include "stdgates.inc";

qubit[2] q;
bit[2] c;

h q[0];
cx q[0], q[1];
c = measure q;
"""


def show(visit: Visit) -> Response:
    """The form, with a Bell pair in it; in the namespace that the caller can submit in when there is but one."""
    able = [one["namespace"] for one in visit.caller["bindings"] if one["role"] != "viewer" and one["namespace"] != "*"]
    start = able[0] if len(set(able)) == 1 and len(visit.caller["bindings"]) == 1 else "default"
    return _form(visit, Fields(code=_FIRST, namespace=start), {}, secrets.token_urlsafe(12))


def send(visit: Visit) -> Response:
    fields, file, once = Fields.of(visit.form), visit.files.get("file"), visit.form.get("once", "")
    try:
        submission = fields.submission(file, visit.settings)
        (handle,) = visit.gateway.submit([submission], "default", [fields.key(once, file)])
    except (InvalidInput, Conflict, Forbidden) as error:
        if problems.status_of(error) == 401:
            raise
        metrics.REJECTIONS.count(reason=error.reason)
        return _form(visit, fields, by_field(error), once, problems.status_of(error))
    return visit.go(f"/jobs/{handle.id}")


def _form(visit: Visit, fields: Fields, errors: dict[str, str], once: str, status: int = 200) -> Response:
    return visit.page(
        "submit.html", status, here="submit", fields=fields, errors=errors, once=once, choices=choices, refresh=0
    )
