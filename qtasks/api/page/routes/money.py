"""Budgets and accounts."""

from __future__ import annotations

from starlette.responses import Response

from qtasks.api.page.views import money as view
from qtasks.api.page.visit import Visit
from qtasks.client.gateway import Kept

_REFRESH_SECONDS = 5


def budgets(visit: Visit) -> Response:
    found = [view.budget(document, visit.now) for document in visit.gateway.listing(Kept.BUDGETS, None)]
    return visit.page("budgets.html", here="budgets", refresh=_REFRESH_SECONDS, budgets=found)


def accounts(visit: Visit) -> Response:
    found = [view.account(document, visit.now) for document in visit.gateway.accounts(None)]
    return visit.page("accounts.html", here="accounts", refresh=_REFRESH_SECONDS, accounts=found)
