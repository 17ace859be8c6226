"""One request to the page: who asks, what is asked, and how it is answered, refusals included."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from qtasks.api import problems
from qtasks.api.page import cookies
from qtasks.api.page.rendering import SECURITY, html
from qtasks.api.serving import serving
from qtasks.client.direct import Installation
from qtasks.client.gateway import Gateway
from qtasks.errors import InvalidInput, QTasksError
from qtasks.settings import Settings

_TOKEN_REASONS = frozenset({"TokenRequired", "TokenInvalid", "TokenExpired", "TokenRevoked"})
_MOST_FIELDS = 32
# What the text of a form's fields may have beside the circuit.
_SPARE_BYTES = 64 * 2**10


@dataclass(slots=True)
class Visit:
    """What a handler of the page works with; it runs in a thread, so it may take its time."""

    request: Request
    gateway: Gateway
    installation: Installation
    settings: Settings
    now: datetime
    secret: str
    form: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    _caller: Mapping[str, Any] | None = None

    @property
    def caller(self) -> Mapping[str, Any]:
        """Who asks, as `Gateway.whoami` says."""
        if self._caller is None:
            self._caller = self.gateway.whoami()
        return self._caller

    @property
    def path(self) -> Mapping[str, str]:
        return self.request.path_params

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query_params

    def page(self, template: str, status: int = 200, *, here: str = "", **context: Any) -> Response:
        """A page; `here`: the entry of the menu that it belongs to."""
        return self._remembered(
            html(
                template,
                status,
                code=status,
                here=here,
                caller=self.caller,
                secret=self.secret,
                secret_field=cookies.FIELD,
                flower=self.settings.flower_url,
                **context,
            )
        )

    def outside(self, template: str, status: int = 200, **context: Any) -> Response:
        """A page for somebody who may not be logged in."""
        known = {
            "code": status,
            "here": "",
            "caller": None,
            "secret": self.secret,
            "secret_field": cookies.FIELD,
            "flower": "",
        }
        return self._remembered(html(template, status, **known, **context))

    def go(self, where: str) -> Response:
        """Look at another page; `where` is a path of this server."""
        return RedirectResponse(where, 303, {**SECURITY, "Cache-Control": "no-store"})

    def _remembered(self, response: Response) -> Response:
        if cookies.form_secret(self.request) != self.secret:
            cookies.remember(self.request, response, self.secret)
        return response


Handler = Callable[[Visit], Response]


def endpoint(handle: Handler) -> Callable[[Request], Awaitable[Response]]:
    """A handler as what a route calls. What is posted must come from a form of this browser."""

    async def answer(request: Request) -> Response:
        served = serving(request)
        visit = Visit(
            request=request,
            gateway=served.gateway(cookies.token(request)),
            installation=served.installation,
            settings=served.settings,
            now=datetime.now(UTC),
            secret=cookies.form_secret(request) or cookies.new_secret(),
        )
        try:
            if request.method == "POST":
                visit.form, visit.files = await _read(request, served.settings)
                cookies.require_own_form(request, visit.form.get(cookies.FIELD, ""))
            return await served.run(lambda: handle(visit))
        except QTasksError as error:
            refusal = error  # Python forgets the name of an exception, and a thread comes later.
        return await served.run(lambda: refused(visit, refusal))

    return answer


async def _read(request: Request, settings: Settings) -> tuple[dict[str, str], dict[str, bytes]]:
    """The fields and the files of a form. Raises InvalidInput (`UnreadableBody`)."""
    largest = settings.max_input_bytes + _SPARE_BYTES
    try:
        async with request.form(max_files=1, max_fields=_MOST_FIELDS, max_part_size=largest) as given:
            return _texts(given), {
                name: await value.read(largest + 1)
                for name, value in given.items()
                if isinstance(value, UploadFile) and value.filename
            }
    except HTTPException as error:
        raise InvalidInput(
            f"The form cannot be read: {error.detail}", reason="UnreadableBody", hint="Send it again."
        ) from None


def _texts(given: FormData) -> dict[str, str]:
    return {name: value for name, value in given.items() if isinstance(value, str)}


def refused(visit: Visit, error: QTasksError) -> Response:
    """The page of an error, with its status; whoever has no token that is good is sent to log in."""
    request = visit.request
    if error.reason in _TOKEN_REASONS and request.method in ("GET", "HEAD"):
        where = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        why = {} if error.reason == "TokenRequired" else {"why": error.reason}
        response = visit.go(f"/login?{urlencode({'next': where, **why})}")
        if why:
            cookies.log_out(request, response)
        return response
    status = problems.status_of(error)
    shown = visit.page if _is_known(visit) else visit.outside
    answer = shown("error.html", status, error=error)
    for name, value in problems.headers(error).items():
        answer.headers[name] = value
    return answer


def _is_known(visit: Visit) -> bool:
    try:
        return bool(visit.caller)
    except QTasksError:
        return False
