"""Plain JSON data read strictly: each value is asked for by its kind, and what is wrong is said with its path. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from qtasks.errors import InvalidInput

REASON = "InvalidPubs"
_HINT = "docs/decisions/pubs.md shows the form; qtasks.primitives writes it for you."
_KINDS = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}


def invalid(message: str, *, reason: str = REASON, hint: str = _HINT) -> InvalidInput:
    """What is wrong with the payload of a job of several circuits."""
    return InvalidInput(message, reason=reason, hint=hint)


def read(data: bytes, name: str) -> Place:
    """The JSON text in `data`. Raises InvalidInput (`InvalidPubs`) also for what Python's own reader lets pass: NaN,
    infinities, and keys that come twice."""
    try:
        return Place(json.loads(data.decode(), parse_constant=_no_constant, object_pairs_hook=_once), name)
    except InvalidInput:
        raise
    except (ValueError, RecursionError) as error:
        what = "it nests too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        raise invalid(f"{name} is not JSON: {what}.") from None


def _no_constant(name: str) -> NoReturn:
    raise invalid(f"The payload has the number {name}.", reason="InvalidParameter", hint="Every number must be finite.")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, _ in pairs if sum(key == other for other, _ in pairs) > 1)
        raise invalid(f"The key {twice[:60]!r} comes twice in one object.")
    return found


@dataclass(frozen=True, slots=True)
class Place:
    """A value with the path that leads to it. Every method raises InvalidInput for a value of another kind."""

    value: Any
    path: str

    def fields(self, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Place]:
        """The fields of an object that has all of `required` and nothing beyond `optional`."""
        found: dict[str, Any] = self._of(dict, "an object")
        for name in required:
            if name not in found:
                raise invalid(f"{self.path} lacks {name}.")
        for name in found:
            if name not in required and name not in optional:
                raise invalid(f"{self.path} has {name[:60]!r}, which is none of its fields.")
        return {name: Place(value, f"{self.path}.{name}") for name, value in found.items()}

    def items(self) -> Iterator[tuple[str, Place]]:
        """Keys and values of an object."""
        for key, value in self._of(dict, "an object").items():
            yield key, Place(value, f"{self.path}[{key[:60]!r}]")

    def each(self, *, least: int = 0, most: int | None = None) -> list[Place]:
        """The elements of a list of `least` to `most`."""
        found = self.list()
        if len(found) < least or (most is not None and len(found) > most):
            bounds = f"at least {least}" if most is None else f"{least} to {most:,}"
            raise invalid(f"{self.path} has {len(found):,} elements; it must have {bounds}.")
        return [Place(value, f"{self.path}[{number}]") for number, value in enumerate(found)]

    def list(self) -> list[Any]:
        """A list, its elements as they are."""
        found: list[Any] = self._of(list, "a list")
        return found

    def text(self) -> str:
        found: str = self._of(str, "a text")
        return found

    def integer(self, least: int, most: int) -> int:
        if type(self.value) is not int:
            self._wrong("an integer")
        if not least <= self.value <= most:
            raise invalid(f"{self.path} is {_short(self.value)}; it must be {least} to {most:,}.")
        return int(self.value)

    def number(self) -> float:
        """A finite number (`InvalidParameter`)."""
        return finite(self.value, self.path)

    def _of(self, kind: type, what: str) -> Any:
        if type(self.value) is not kind:
            self._wrong(what)
        return self.value

    def _wrong(self, wanted: str) -> NoReturn:
        raise invalid(f"{self.path} must be {wanted}; it is {_KINDS.get(type(self.value), 'a number')}.")


def finite(value: Any, path: str) -> float:
    """A number of JSON as a float. Raises InvalidInput (`InvalidParameter`) where it is none, or not finite."""
    try:
        number = float(value) if type(value) in (int, float) else math.nan
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise invalid(
            f"{path} is {_short(value)}, not a finite number.", reason="InvalidParameter", hint="Correct the number."
        )
    return number


def _short(value: Any) -> str:
    if type(value) is int and value.bit_length() > 200:
        return "a number of more than 60 digits"
    return _KINDS[type(value)] if type(value) in _KINDS else str(value)
