"""What Kubernetes refuses in the schema of a CustomResourceDefinition (apiextensions.k8s.io/v1)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

ALLOWED = {
    *("type", "description", "properties", "required", "items", "additionalProperties", "enum", "pattern", "format"),
    *("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "oneOf", "anyOf", "default", "nullable"),
    *("x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"),
    *("x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
}
TYPES = {"object", "array", "string", "integer", "number", "boolean"}
_JUNCTORS = ("oneOf", "anyOf", "allOf", "not")
_NOT_INSIDE = {"type", "description", "additionalProperties", "default", "nullable", "title"}
_NOT_IN_RE2 = re.compile(r"\(\?[=!<P]|\\[1-9]|[*+?}]\+")
"""Looking around, references back, possessive quantifiers: Go's expressions have none of them."""


def problems(schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Every rule that a structural schema breaks."""
    for unknown in sorted(set(schema) - ALLOWED):
        yield f"{path}: {unknown} is not allowed"
    int_or_string = schema.get("x-kubernetes-int-or-string")
    if int_or_string:
        if "type" in schema or schema.get("anyOf") != [{"type": "integer"}, {"type": "string"}]:
            yield f"{path}: an int-or-string has no type, and anyOf integer and string"
    elif schema.get("type") not in TYPES:
        yield f"{path}: there is no type"
    if "properties" in schema and "additionalProperties" in schema:
        yield f"{path}: properties and additionalProperties exclude each other"
    if isinstance(schema.get("additionalProperties"), bool):
        yield f"{path}: additionalProperties is a schema"
    if schema.get("type") == "array" and "items" not in schema:
        yield f"{path}: an array without items"
    keeps = {"properties", "additionalProperties", "x-kubernetes-preserve-unknown-fields"} & set(schema)
    if schema.get("type") == "object" and not keeps and path != ".metadata":
        yield f"{path}: an object of which nothing would be kept"
    if "pattern" in schema and _NOT_IN_RE2.search(schema["pattern"]):
        yield f"{path}: a pattern that Go does not read"
    for repeated in re.findall(r"\{\d*,?(\d+)\}", schema.get("pattern", "")):
        if int(repeated) > 1000:
            yield f"{path}: a pattern that repeats {repeated} times"
    for name in set(schema.get("required", ())) - set(schema.get("properties", ())):
        yield f"{path}: {name} is required and not there"
    if not int_or_string:
        for junctor in _JUNCTORS:
            for alternative in schema.get(junctor, ()):
                yield from _value_problems(alternative, schema, f"{path}.{junctor}")
    for name, inner in schema.get("properties", {}).items():
        yield from problems(inner, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), Mapping):
            yield from problems(schema[key], f"{path}.{key}")


def _value_problems(schema: Mapping[str, Any], outside: Mapping[str, Any], path: str) -> Iterator[str]:
    for key in sorted(set(schema) & _NOT_INSIDE):
        yield f"{path}: {key} is not allowed inside"
    for name, inner in schema.get("properties", {}).items():
        if name not in outside.get("properties", {}):
            yield f"{path}: {name} is not declared outside"
        else:
            yield from _value_problems(inner, outside["properties"][name], f"{path}.{name}")
