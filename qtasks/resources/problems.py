"""What is wrong with a resource: the field's path, its value, what is allowed, and the nearest right name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from enum import Enum
from typing import Any, NoReturn, NotRequired, TypedDict, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from qtasks.errors import InvalidInput

REASON = "InvalidResource"
LONGEST_VALUE = 80
MOST_PROBLEMS = 50

Location = tuple[int | str, ...]
Scalar = str | int | float | bool | None

# What pydantic calls a wrong type, in the words of YAML.
TYPES = {
    "string_type": "text (put it in quotes)",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "invalid_key": "text as a key (put it in quotes)",
    "tuple_type": "a list",
}


class Problem(TypedDict):
    """One thing that is wrong. `path` is in camelCase; `document` counts from 1 and is there when several were read."""

    path: str
    value: Scalar
    message: str
    allowed: NotRequired[str | list[str]]
    nearest: NotRequired[str]
    document: NotRequired[int]


def invalid(problems: Sequence[Problem]) -> InvalidInput:
    """The one error for all problems: a line for each in its message, and each in `details`; at most 50."""
    told = list(problems[:MOST_PROBLEMS])
    lines = [_line(problem) for problem in told]
    if len(problems) > len(told):
        lines.append("and more")
    return InvalidInput("\n".join(lines), reason=REASON, details={"problems": told})


def not_allowed(path: str, value: Any, allowed: str | list[str]) -> Problem:
    """A value outside of what is allowed: a sentence, or a list to choose from."""
    choices = allowed if isinstance(allowed, list) else []
    text = ", ".join(choices) or str(allowed)
    return _suggest(
        {
            "path": path,
            "value": brief(value, path),
            "message": f"{_shown(value, path)} is not allowed: {text}",
            "allowed": allowed,
        },
        nearest(value, choices),
    )


def required(path: str, allowed: list[str] | None = None) -> Problem:
    """A field that is missing."""
    if allowed is None:
        return {"path": path, "value": None, "message": "required"}
    return {"path": path, "value": None, "message": f"required: {', '.join(allowed)}", "allowed": allowed}


def plain(message: str) -> Problem:
    """Something wrong with the whole text."""
    return {"path": "", "value": None, "message": message}


def refuse(field: str, value: Any, sentence: str) -> NoReturn:
    """Refuse, from a model's validator, the value of one of its fields (its camelCase name) with a sentence."""
    raise PydanticCustomError("refused", "{sentence}", {"field": field, "value": value, "sentence": sentence})


def problems_of(error: ValidationError, model: type) -> list[Problem]:
    """Pydantic's errors about `model` as problems; no more than are worth telling, since each costs time."""
    return [_problem(detail, model) for detail in error.errors(include_url=False)[: MOST_PROBLEMS + 1]]


def nearest(value: Any, names: Iterable[str]) -> str | None:
    """The name most like `value`, or None when none is like it."""
    by_lower = {name.lower(): name for name in names}
    found = get_close_matches(value.lower()[:LONGEST_VALUE], by_lower, n=1) if isinstance(value, str) else []
    return by_lower[found[0]] if found else None


def path_of(location: Location) -> str:
    """The location as a path: `spec.execution.initialLayout[1]`."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{_visible(part)}" for part in location if part != "[key]"]
    return "".join(parts).removeprefix(".")


def brief(value: Any, path: str = "") -> Scalar:
    """The value as it may be repeated to the user: short, and nothing that may be a secret."""
    if "credentials" in path:
        return "(not shown)"
    if isinstance(value, Enum):
        value = str(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return value if abs(value) < 2**64 else "a number out of range"
    if isinstance(value, str):
        # A URL may carry a password before its host.
        text = re.sub(r"://[^/@\s]*@", "://…@", value).encode(errors="backslashreplace").decode()
        return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
    if isinstance(value, (Mapping, BaseModel)):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        short = len(value) <= 16 and all(type(item) in (int, float) and abs(item) < 2**64 for item in value)
        return brief(str(list(value))) if short else "a list"
    return type(value).__name__


def _visible(key: str) -> str:
    """A user's key in one line, without what would upset a terminal or an encoding."""
    return "".join(letter if letter.isprintable() else "�" for letter in key[:LONGEST_VALUE])


def _shown(value: Any, path: str) -> str:
    short = brief(value, path)
    quoted = short is None or isinstance(short, bool) or (isinstance(value, str) and "credentials" not in path)
    return json.dumps(short, ensure_ascii=False) if quoted else str(short)


def _suggest(problem: Problem, name: str | None) -> Problem:
    if name is not None:
        problem["nearest"] = name
        problem["message"] += f'; did you mean "{name}"?'
    return problem


def _line(problem: Problem) -> str:
    line = f"{problem['path']}: {problem['message']}" if problem["path"] else problem["message"]
    return f"document {problem['document']}: {line}" if "document" in problem else line


def _problem(detail: ErrorDetails, model: type[BaseModel]) -> Problem:
    location, value, kind = detail["loc"], detail["input"], detail["type"]
    context = detail.get("ctx", {})
    path = path_of(location)
    match kind:
        case "missing":
            return required(path)
        case "extra_forbidden":
            return _unknown(location, model)
        case "enum" | "literal_error":
            return not_allowed(path, value, re.findall(r"'([^']*)'", context["expected"]))
        case "not_allowed":
            return not_allowed(path, location[-2] if location[-1] == "[key]" else value, context["allowed"])
        case "refused":
            inner = path_of((*location, context["field"])) if context["field"] else path
            return {"path": inner, "value": brief(context["value"], inner), "message": context["sentence"]}
        case _:
            return not_allowed(path, value, TYPES.get(kind, detail["msg"]))


def _unknown(location: Location, model: type[BaseModel]) -> Problem:
    """A field that is not there: the likely one beside it, or the place where the name is right."""
    *parents, name = location
    names = {field.alias or key for key, field in _model_at(model, parents).model_fields.items()}
    # The value is not repeated: whoever invents a field may put a secret in it.
    problem: Problem = {"path": path_of(location), "value": None, "message": "unknown field"}
    return _suggest(problem, nearest(name, names) or _elsewhere(str(name), model))


def _model_at(model: type[BaseModel], location: Iterable[int | str]) -> type[BaseModel]:
    for part in location:
        if isinstance(part, int):
            continue  # an element of a list is of the model that the list's field has
        model = next(inner for alias, inner in _inner(model) if alias == part)
    return model


def _elsewhere(name: str, model: type[BaseModel], prefix: str = "") -> str | None:
    """The path of the first field, in depth-first order, with exactly this name."""
    inner = list(_inner(model))
    if prefix and any(name in (field.alias, key) for key, field in model.model_fields.items()):
        return f"{prefix}{name}"
    found = (_elsewhere(name, child, f"{prefix}{alias}.") for alias, child in inner)
    return next((path for path in found if path), None)


def _inner(model: type[BaseModel]) -> Iterable[tuple[str, type[BaseModel]]]:
    """The fields that are models themselves, by alias."""
    for key, field in model.model_fields.items():
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield field.alias or key, kind
