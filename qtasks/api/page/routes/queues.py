"""The queues by stage and priority."""

from __future__ import annotations

from starlette.responses import Response

from qtasks.access import EVERYWHERE
from qtasks.api.page.depths import depths
from qtasks.api.page.views.queues import queues
from qtasks.api.page.visit import Visit

_REFRESH_SECONDS = 3


def show(visit: Visit) -> Response:
    """Of the jobs of those namespaces in which the caller has a role; every role may list jobs."""
    named = {binding["namespace"] for binding in visit.caller["bindings"]}
    namespaces = None if EVERYWHERE in named else sorted(named)
    with visit.installation.store.read() as tx:
        found = queues(depths(tx, namespaces), visit.now)
    return visit.page("queues.html", here="queues", refresh=_REFRESH_SECONDS, queues=found, namespaces=namespaces)
