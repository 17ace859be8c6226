"""What a CustomResourceDefinition asks of its objects: unknown fields are pruned, the rest is validated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft4Validator, FormatChecker
from jsonschema.protocols import Validator

_INT_OR_STRING = "x-kubernetes-int-or-string"
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_formats = FormatChecker(formats=())


@_formats.checks("date-time")
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or _TIME.fullmatch(value) is not None


def pruned(value: Any, schema: Mapping[str, Any], *, root: bool = True) -> Any:
    """The value without the fields that no structural schema names."""
    if isinstance(value, Mapping):
        if schema.get(_PRESERVE):
            return dict(value)
        properties = schema.get("properties", {})
        others = schema.get("additionalProperties")
        found = {}
        for key, inner in value.items():
            if root and key in ("apiVersion", "kind", "metadata"):
                found[key] = inner
            elif key in properties:
                found[key] = pruned(inner, properties[key], root=False)
            elif isinstance(others, Mapping):
                found[key] = pruned(inner, others, root=False)
        return found
    if isinstance(value, list):
        return [pruned(inner, schema.get("items", {}), root=False) for inner in value]
    return value


class Schema:
    """The schema of one kind."""

    def __init__(self, definition: Mapping[str, Any]) -> None:
        version = definition["spec"]["versions"][0]
        self.structural: Mapping[str, Any] = version["schema"]["openAPIV3Schema"]
        self._validator: Validator = Draft4Validator(self.structural, format_checker=_formats)

    def problem(self, document: Mapping[str, Any]) -> str | None:
        """What is wrong with a document, as the API server says it; None when nothing is."""
        errors = sorted(self._validator.iter_errors(document), key=lambda error: [str(part) for part in error.path])
        return "; ".join(f"{_path(error.absolute_path)}: {error.message}" for error in errors) or None


def _path(parts: Any) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).removeprefix(".") or "<nil>"
