"""From a model's JSON Schema to the structural OpenAPI v3 schema that Kubernetes takes. Pure.

What no structural schema can say (names of keys, rules between fields) the operator checks, and says in the status.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

_KEPT = ("type", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "required")
_INT32 = 2**31 - 1


def structural(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    """The schema without references, titles, examples and defaults, each default told in its description.

    A default of a definition would be written into everyone's resources and outlive the release that had it. Fields
    that nobody knows are pruned by the API server, and refused by kubectl.
    """
    schema = _resolved(schema, definitions)
    found: Schema = {}
    description = _description(schema)
    if description:
        found["description"] = description
    if _is_written(schema):
        return found | _int_or_string(schema["anyOf"][0])
    found |= {key: schema[key] for key in _KEPT if key in schema}
    if "const" in schema:
        found["enum"] = [schema["const"]]
    if found.get("type") == "integer" and abs(found.get("maximum", _INT32 + 1)) > _INT32:
        found["format"] = "int64"
    if "properties" in schema:
        found["properties"] = {name: structural(each, definitions) for name, each in schema["properties"].items()}
    elif "patternProperties" in schema:
        (values,) = schema["patternProperties"].values()
        found["additionalProperties"] = structural(values, definitions)
    elif isinstance(schema.get("additionalProperties"), Mapping):
        found["additionalProperties"] = structural(schema["additionalProperties"], definitions)
    if "prefixItems" in schema:
        found["items"] = structural(schema["prefixItems"][0], definitions)
    elif "items" in schema:
        found["items"] = structural(schema["items"], definitions)
    if "oneOf" in schema:
        found["oneOf"] = [_only_values(each) for each in schema["oneOf"]]
    return found


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema that a reference names; what stands beside the reference goes first."""
    if "$ref" not in schema:
        return schema
    beside = {key: value for key, value in schema.items() if key != "$ref"}
    return {**definitions[schema["$ref"].rpartition("/")[2]], **beside}


def _description(schema: Mapping[str, Any]) -> str:
    text = re.sub(r"\s+", " ", schema.get("description", ""))
    default = schema.get("default")
    if default is None or default in ({}, [], "") or isinstance(default, Mapping):
        return text
    return f"{text} Default: {str(default).lower() if isinstance(default, bool) else default}.".strip()


def _is_written(schema: Mapping[str, Any]) -> bool:
    """Whether it is an amount, which a user writes as text or as a number."""
    return [each.get("type") for each in schema.get("anyOf", ())] == ["string", "number"]


def _int_or_string(text: Mapping[str, Any]) -> Schema:
    return {
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "pattern": text["pattern"],
        "x-kubernetes-int-or-string": True,
    }


def _only_values(alternative: Mapping[str, Any]) -> Schema:
    """An alternative, in which a structural schema may name values and what is required, but no type."""
    properties = {name: {"enum": [each["const"]]} for name, each in alternative["properties"].items()}
    return {"properties": properties, "required": list(alternative["required"])}
