"""HTML from templates, and the headers that every answer of the page has."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, Response

SECURITY = {
    # Nothing but what this server sends, and no script or style inside of a document.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
ASSETS = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_CODE = re.compile(r"`([^`]+)`")
_YEAR_SECONDS = 365 * 86_400


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("qtasks.api.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["asset"] = asset_link
    made.filters["marked"] = marked
    return made


def marked(text: str) -> Markup:
    """A sentence for a person, what stands between backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


def html(template: str, status: int = 200, **context: Any) -> HTMLResponse:
    """A page. It is nobody else's, so no cache keeps it."""
    text = _environment().get_template(template).render(**context)
    return HTMLResponse(text, status, {**SECURITY, "Cache-Control": "no-store"})


@lru_cache(maxsize=8)
def _asset(name: str) -> tuple[bytes, str]:
    content = (files("qtasks.api.page") / "static" / name).read_bytes()
    return content, hashlib.sha256(content).hexdigest()[:12]


def asset_link(name: str) -> str:
    """The address of a file of the page; another one when the file is another."""
    return f"/page/{name}?v={_asset(name)[1]}"


def asset(name: str) -> Response:
    """A file of the page, to be kept for ever. Raises KeyError."""
    media_type = ASSETS[name]
    headers = {**SECURITY, "Cache-Control": f"public, max-age={_YEAR_SECONDS}, immutable"}
    return Response(_asset(name)[0], 200, headers, media_type)
