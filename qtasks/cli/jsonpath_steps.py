"""The steps that a JSONPath takes through a document. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Step = Callable[[list[Any], Any], list[Any]]
"""From the values reached so far, and the root, to those one step on."""


def same(values: list[Any], root: Any) -> list[Any]:
    return values


def every(values: list[Any], root: Any) -> list[Any]:
    return [element for value in values for element in elements(value)]


def descend(values: list[Any], root: Any) -> list[Any]:
    """The values, and all that is inside of them."""
    return [found for value in values for found in (value, *descend(elements(value), root))]


def elements(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def named(name: str) -> Step:
    return lambda values, root: [value[name] for value in values if isinstance(value, dict) and name in value]


def dotted(values: list[Any], names: str) -> list[Any]:
    """The field of this name or, as kubectl reads a dotted name in a union, what lies at the end of the path."""
    exact = named(names)(values, None)
    if exact or "." not in names:
        return exact
    for name in names.split("."):
        values = named(name)(values, None)
    return values


def at(index: int) -> Step:
    return lambda values, root: [
        value[index] for value in values if isinstance(value, list) and -len(value) <= index < len(value)
    ]


def cut(part: slice) -> Step:
    return lambda values, root: [element for value in values if isinstance(value, list) for element in value[part]]


def compare(sign: Callable[[Any, Any], Any], left: Any, right: Any) -> bool:
    try:
        return bool(sign(left, right))
    except TypeError:
        return False
