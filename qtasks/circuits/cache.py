"""What validation found, in a form that may lie where others can write: named and signed under a key of our own. Pure.

Workers load a checked circuit's QPY outside the sandbox, so an entry that this key did not sign counts as none.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeAlias

from qtasks.circuits.analysis import Analysis
from qtasks.circuits.fingerprint import VERSION
from qtasks.circuits.formats import QPY_VERSION
from qtasks.circuits.sandbox.answers import Checked, Limits, Rejected, Source

Answer: TypeAlias = Checked | Rejected

LASTING = frozenset(
    {
        "AmbiguousCircuit",
        "InvalidName",
        "InvalidParameter",
        "InvalidSyntax",
        "MissingArguments",
        "NoCircuit",
        "NothingMeasured",
        "ReservedName",
        "UnboundParameters",
        "UnknownParameters",
        "UnsupportedFormat",
    }
)
"""Refusals that the same source always meets. A timeout, a crash, want of memory or an exception may not come again."""

_SIGNATURE_BYTES = 32
_LENGTH_BYTES = 4


class Seal:
    """Names and signs what is known of the sources of one namespace, checked under `limits` by these `versions`.

    A name depends on all that an answer depends on; without `key` none can be computed, nor any answer forged.
    """

    def __init__(self, key: bytes, *, namespace: str, limits: Limits, versions: Mapping[str, str]) -> None:
        self._key = key
        # Time and memory only decide whether there is an answer, not which.
        limiting = [limits.input_bytes, limits.output_bytes, limits.operations]
        context = json.dumps([namespace, limiting, sorted(versions.items()), VERSION, QPY_VERSION]).encode()
        self._named = hmac.new(key, b"name" + _framed(context), hashlib.sha256)

    def name(self, source: Source) -> bytes:
        """The 32 bytes under which the answer to `source` is kept."""
        parameters = sorted((source.parameters or {}).items())
        about = json.dumps([source.format, parameters, source.measured, source.bound]).encode()
        named = self._named.copy()
        named.update(_framed(about))
        named.update(source.data)
        return named.digest()

    def close(self, name: bytes, answer: Answer) -> bytes | None:
        """`answer` as an entry for `name`; None when it is not to be kept."""
        if isinstance(answer, Rejected) and answer.reason not in LASTING:
            return None
        qpy = answer.qpy if isinstance(answer, Checked) else b""
        content = _framed(json.dumps(_plain(answer), separators=(",", ":")).encode()) + qpy
        return self._signature(name, content) + content

    def open(self, name: bytes, entry: bytes, id: str) -> Answer | None:  # noqa: A002 - the word used for it everywhere
        """The answer in `entry`, for source `id`; None unless it was closed under this very key and name."""
        signature, content = entry[:_SIGNATURE_BYTES], entry[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(name, content)):
            return None
        length = int.from_bytes(content[:_LENGTH_BYTES], "big")
        try:
            head = json.loads(content[_LENGTH_BYTES : _LENGTH_BYTES + length])
            return _answer(head, content[_LENGTH_BYTES + length :], id)
        except (TypeError, KeyError, ValueError):
            return None  # signed by another state of this version, while it is worked on

    def _signature(self, name: bytes, content: bytes) -> bytes:
        return hmac.digest(self._key, b"seal" + name + content, hashlib.sha256)


def _framed(data: bytes) -> bytes:
    return len(data).to_bytes(_LENGTH_BYTES, "big") + data


def _plain(answer: Answer) -> dict[str, Any]:
    names = {field.name for field in fields(answer)} - {"id", "qpy", "analysis"}
    plain = {name: getattr(answer, name) for name in names}
    return {**plain, "analysis": answer.analysis.as_data()} if isinstance(answer, Checked) else plain


def _answer(head: dict[str, Any], qpy: bytes, id: str) -> Answer:  # noqa: A002
    known: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in head.items()}
    analysis = known.pop("analysis", None)
    if analysis is None:
        return Rejected(id=id, **known)
    registers = [(name, size) for name, size in analysis["registers"]]
    return Checked(id=id, qpy=qpy, analysis=Analysis(**{**analysis, "registers": registers}), **known)
