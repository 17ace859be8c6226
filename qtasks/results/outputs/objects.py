"""What outputs to object stores have in common: checksums, and what the answers of their servers mean."""

from __future__ import annotations

import base64
import hashlib
import re

from qtasks.errors import Forbidden, InvalidInput, NotFound, Unavailable
from qtasks.results.outputs.protocol import Answer, Ask

_CODE = re.compile(rb"<Code>([A-Za-z0-9]{1,60})</Code>")
_MAY_HEAL = (408, 409, 425, 429)
_CODES_THAT_MAY_HEAL = ("SlowDown", "RequestTimeout", "OperationAborted", "BadDigest")


def md5(data: bytes) -> str:
    """The value of `Content-MD5`: the server stores nothing that differs."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def check(answer: Answer, shown: str, bucket: str) -> None:
    """Raises what the server's answer to a PUT of the object `shown` means, unless it took it."""
    if 200 <= answer.status < 300:
        return
    found = _CODE.search(answer.body)
    code = found[1].decode() if found else ""
    said = f"HTTP {answer.status}{f', {code}' if code else ''}"
    if answer.status >= 500 or answer.status in _MAY_HEAL or code in _CODES_THAT_MAY_HEAL:
        raise Unavailable(f"{shown} could not be written at present ({said}).", reason="OutputUnavailable")
    if code == "NoSuchBucket" or answer.status == 404:
        raise NotFound(
            f"There is no bucket {bucket} ({said}).",
            reason="BucketNotFound",
            hint="Create it, or correct the location.",
        )
    if answer.status in (401, 403):
        raise Forbidden(
            f"{shown} may not be written with these credentials ({said}).",
            reason="OutputForbidden",
            hint="Correct the secret that output.credentials or spec.credentials names, or what it may do there.",
        )
    if answer.status == 413 or code == "EntityTooLarge":
        raise InvalidInput(f"{shown} is too large for its server ({said}).", reason="OutputTooLarge", hint="Use csv.")
    redirected = "; it is elsewhere: correct the secret's region or endpoint" if 300 <= answer.status < 400 else ""
    raise InvalidInput(f"The server of {shown} does not take it ({said}{redirected}).", reason="InvalidOutput")


def known(ask: Ask | None) -> Ask:
    assert ask is not None, "whoever delivers to a server says how it is asked"
    return ask


def no_credentials(keys: str, also: str = "") -> Forbidden:
    return Forbidden(
        "The job names no credentials for its output.",
        reason="NoOutputCredentials",
        hint=f"Put {keys} into a secret of its namespace and name it in output.credentials{also}.",
    )
