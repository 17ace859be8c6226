"""Logging in and out: a token against a cookie."""

from __future__ import annotations

from starlette.responses import Response

from qtasks.access import is_token
from qtasks.api import problems
from qtasks.api.page import cookies
from qtasks.api.page.visit import Visit
from qtasks.api.serving import serving
from qtasks.errors import Forbidden

_WHY = {
    "TokenExpired": "Your token has expired.",
    "TokenInvalid": "Your token is not good any more.",
    "TokenRevoked": "Your token was revoked.",
    "LoggedOut": "You are logged out.",
}


def show(visit: Visit) -> Response:
    """The form; whoever needs none goes on."""
    after = _inside(visit.query.get("next", ""))
    try:
        visit.gateway.whoami()
    except Forbidden:
        return visit.outside("login.html", next=after, why=_WHY.get(visit.query.get("why", ""), ""), error=None)
    return visit.go(after)


def log_in(visit: Visit) -> Response:
    given, after = visit.form.get("token", "").strip(), _inside(visit.form.get("next", ""))
    try:
        # What cannot be a token is no reason to ask the database, and may be another service's secret.
        serving(visit.request).gateway(given if is_token(given) else "(none)").whoami()
    except Forbidden as error:
        return visit.outside("login.html", problems.status_of(error), next=after, why="", error=_said(given, error))
    response = visit.go(after)
    if given:
        cookies.log_in(visit.request, response, given)
    return response


def log_out(visit: Visit) -> Response:
    response = visit.go("/login?why=LoggedOut")
    cookies.log_out(visit.request, response)
    return response


def _said(given: str, error: Forbidden) -> str:
    """What is wrong with what was typed in; the error's own sentence speaks of an environment variable."""
    if not given:
        return "Paste a token: an administrator makes one with `qtasks auth token NAME`."
    if error.reason == "TokenInvalid":
        return "This is no token of this installation. Check that all of it was copied, or ask for a new one."
    return f"{error.message} {error.hint}"


def _inside(where: str) -> str:
    """A path of this server, wherever a link wanted to lead."""
    plain = where.startswith("/") and not where.startswith("//") and "\\" not in where and where.isprintable()
    return where if plain and not where.startswith(("/login", "/logout")) else "/"
