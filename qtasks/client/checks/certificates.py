"""The files of the API's TLS: whether they can be read, belong together, and how long they are good for."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from qtasks.client.checks.finding import Finding, Found, Mark, ok, warn
from qtasks.errors import InvalidInput
from qtasks.settings import Settings

_SOON = timedelta(days=30)


def certificates(settings: Settings) -> Found:
    """A line for each file of certificates that is set; none without TLS."""
    cert, key = settings.api_tls_cert, settings.api_tls_key
    if cert is not None:
        yield from _file("certificate", cert, "QTASKS_API_TLS_CERT")
        if key is not None:
            _require_pair(cert, key)
    if settings.api_tls_client_ca is not None:
        yield from _file("certificate of clients", settings.api_tls_client_ca, "QTASKS_API_TLS_CLIENT_CA")


def _file(part: str, path: Path, setting: str) -> Iterator[Finding]:
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it holds no certificate in PEM form"
        raise InvalidInput(f"{path}: {why}.", reason="InvalidSettings", hint=f"Correct {setting}.") from None
    # The chain is as good as the first of it to run out.
    end = min(one.not_valid_after_utc for one in found)
    left = end - datetime.now(UTC)
    detail = f"{path}, good until {end:%Y-%m-%d %H:%M} UTC"
    hint = f"Put a new one at {path} and restart `qtasks api`."
    if left <= timedelta(0):
        yield Finding(part, Mark.FAIL, f"{path} ran out at {end:%Y-%m-%d %H:%M} UTC", hint, "CertificateExpired")
    elif left < _SOON:
        yield warn(part, f"{detail}: {left.days} days", hint, "CertificateEnds")
    else:
        yield ok(part, detail)


def _require_pair(cert: Path, key: Path) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    except (OSError, ssl.SSLError):
        raise InvalidInput(
            f"{key} is not the key of {cert}, or cannot be read.",
            reason="InvalidSettings",
            hint="Correct QTASKS_API_TLS_KEY.",
        ) from None
