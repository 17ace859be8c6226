"""The cookies of the page."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import Response

from qtasks.api.page import cookies
from qtasks.errors import Forbidden


def _request(scheme: str = "https", **headers: str) -> Request:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    address = {"type": "http", "method": "POST", "scheme": scheme, "server": ("qtasks.example", 443), "path": "/"}
    return Request({**address, "query_string": b"", "headers": named})


def _cookie_headers(response: Response) -> list[str]:
    return response.headers.getlist("set-cookie")


def test_under_tls_cookies_are_secure_and_of_this_host_alone() -> None:
    response = Response()
    cookies.log_in(_request(), response, "qtk_token")
    both = _cookie_headers(response)
    assert [cookie.partition("=")[0] for cookie in both] == ["__Host-qtasks-token", "__Host-qtasks-form"]
    for cookie in both:
        assert all(word in cookie for word in ("Secure", "HttpOnly", "SameSite=strict", "Path=/"))
        assert "Domain" not in cookie and "Max-Age" not in cookie


def test_a_cookie_without_tls_counts_for_nothing_under_it() -> None:
    planted = f"qtasks-token=qtk_x; qtasks-form={'a' * 43}"
    assert cookies.token(_request("http", cookie=planted)) == "qtk_x"
    assert cookies.token(_request("https", cookie=planted)) is None
    assert cookies.form_secret(_request("https", cookie=planted)) is None


def test_logging_out_forgets_both() -> None:
    response = Response()
    cookies.log_out(_request("http"), response)
    assert all('=""' in cookie and "Max-Age=0" in cookie for cookie in _cookie_headers(response))


def test_a_form_counts_only_with_the_secret_of_its_browser() -> None:
    secret = cookies.new_secret()
    mine = f"qtasks-form={secret}"
    cookies.require_own_form(_request("http", cookie=mine), secret)
    cookies.require_own_form(_request("http", cookie=mine, sec_fetch_site="same-origin"), secret)
    for request, given in (
        (_request("http"), secret),
        (_request("http", cookie=mine), cookies.new_secret()),
        (_request("http", cookie=mine), "ä"),
        (_request("http", cookie="qtasks-form="), ""),
        (_request("http", cookie=mine, sec_fetch_site="cross-site"), secret),
        (_request("http", cookie=mine, sec_fetch_site="same-site"), secret),
    ):
        with pytest.raises(Forbidden) as raised:
            cookies.require_own_form(request, given)
        assert raised.value.reason == "FormExpired"
