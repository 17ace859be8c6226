"""Patches as they come: JSON merge patch (RFC 7386) and JSON patch (RFC 6902)."""

from __future__ import annotations

import copy
from typing import Any

from tests.support.kubernetes.answers import Refused

MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"


def patched(document: dict[str, Any], patch: Any, content_type: str) -> dict[str, Any]:
    """The document with the patch applied. Raises Refused (415, 422)."""
    if content_type == MERGE:
        return dict(_merged(document, patch))
    if content_type == JSON:
        found = copy.deepcopy(document)
        for operation in patch:
            _apply(found, operation)
        return found
    raise Refused(
        415, f"the body of the request was in an unknown format - accepted media types include: {JSON}, {MERGE}"
    )


def _merged(known: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    found = dict(known) if isinstance(known, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = _merged(found.get(key), value)
    return found


def _apply(document: Any, operation: dict[str, Any]) -> None:
    *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
    try:
        for part in parents:
            document = document[int(part)] if isinstance(document, list) else document[part]
        _change(document, last, operation)
    except (KeyError, IndexError, ValueError):
        raise Refused(422, "the server rejected our request due to an error in our request") from None


def _change(target: Any, last: str, operation: dict[str, Any]) -> None:
    kind, value = operation["op"], operation.get("value")
    if isinstance(target, list):
        if kind == "add":
            target.insert(len(target) if last == "-" else int(last), value)
            return
        last = int(last)  # type: ignore[assignment]
    if kind == "remove":
        del target[last]
    elif kind == "test":
        if target[last] != value:
            raise ValueError("the test failed")
    elif kind == "replace":
        if target[last] is not value:  # there has to be something
            target[last] = value
    else:
        assert kind == "add", f"nobody here sends {kind}"
        target[last] = value
