"""A browser without JavaScript: pages are read and their forms sent, as a person would."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx


class _Forms(HTMLParser):
    """The forms of a page with what their fields hold."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, Any]] = []
        self._open: dict[str, Any] | None = None
        self._text: str | None = None
        self._select: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if tag == "form":
            self._open = {"action": known["action"], "fields": {}}
            self.forms.append(self._open)
        if self._open is None:
            return
        name = known.get("name") or ""
        if tag == "input" and known.get("type") != "file":
            self._open["fields"][name] = known.get("value") or ""
        elif tag == "textarea":
            self._open["fields"][name] = ""
            self._text = name
        elif tag == "select":
            self._select = name
            self._open["fields"][name] = ""
        elif tag == "option" and "selected" in known:
            self._text = self._select

    def handle_data(self, data: str) -> None:
        if self._open is not None and self._text is not None:
            self._open["fields"][self._text] += data

    def handle_endtag(self, tag: str) -> None:
        if tag in ("textarea", "option"):
            self._text = None
        elif tag == "form":
            self._open = None


@dataclass
class Browser:
    """Somebody with cookies, who follows no redirect by itself."""

    url: str
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.url, timeout=30)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.http.get(path, **more)

    def form(self, page: httpx.Response, action: str) -> dict[str, str]:
        """The fields of the page's form that goes to `action`."""
        parser = _Forms()
        parser.feed(page.text)
        found: dict[str, str] = next(form["fields"] for form in parser.forms if form["action"] == action)
        return {name: value.removeprefix("\n") for name, value in found.items()}

    def send(self, page: httpx.Response, action: str, **fields: str) -> httpx.Response:
        """Fill in the page's form that goes to `action`, and send it."""
        return self.http.post(action, data=self.form(page, action) | fields)

    def log_in(self, token: str, path: str = "/") -> httpx.Response:
        asked = self.get(path)
        assert asked.status_code == 303, asked.text
        return self.send(self.get(asked.headers["location"]), "/login", token=token)
