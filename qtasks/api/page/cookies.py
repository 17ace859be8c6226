"""The two cookies of the page: the token of who is logged in, and the secret that forms of this browser carry.

Both are HttpOnly and SameSite=Strict; under TLS they are Secure and bound to this host (`__Host-`), so that no
neighbouring host can plant one.
"""

from __future__ import annotations

import hmac
import re
import secrets

from starlette.requests import Request
from starlette.responses import Response

from qtasks.errors import Forbidden

_TOKEN = "qtasks-token"  # noqa: S105 - a cookie's name
_FORM = "qtasks-form"
FIELD = "form_secret"
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_LONGEST_TOKEN = 512


def is_secure(request: Request) -> bool:
    return request.url.scheme == "https"


def _name(request: Request, name: str) -> str:
    return f"__Host-{name}" if is_secure(request) else name


def token(request: Request) -> str | None:
    """The token of whoever is logged in."""
    found = request.cookies.get(_name(request, _TOKEN), "")
    return found if 0 < len(found) <= _LONGEST_TOKEN else None


def form_secret(request: Request) -> str | None:
    """What the forms of this browser carry; None for a browser that was given none."""
    found = request.cookies.get(_name(request, _FORM), "")
    return found if _SECRET.fullmatch(found) else None


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def require_own_form(request: Request, given: str) -> None:
    """Raise Forbidden (`FormExpired`) for a form that this browser did not get from here: another site, which can
    neither read the cookie nor have it sent, may not act for whoever is logged in."""
    known = form_secret(request)
    foreign = request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
    if known is None or foreign or not hmac.compare_digest(known.encode(), given.encode()):
        raise Forbidden(
            "The form was not made for this browser, or is too old.",
            reason="FormExpired",
            hint="Open the page again, with cookies allowed, and send the form anew.",
        )


def log_in(request: Request, response: Response, value: str) -> None:
    _set(request, response, _TOKEN, value)
    remember(request, response, new_secret())


def remember(request: Request, response: Response, secret: str) -> None:
    _set(request, response, _FORM, secret)


def log_out(request: Request, response: Response) -> None:
    for name in (_TOKEN, _FORM):
        response.delete_cookie(
            _name(request, name), path="/", secure=is_secure(request), httponly=True, samesite="strict"
        )


def _set(request: Request, response: Response, name: str, value: str) -> None:
    # No lifetime: it goes with the browser. The token has an end of its own.
    response.set_cookie(
        _name(request, name), value, path="/", secure=is_secure(request), httponly=True, samesite="strict"
    )
