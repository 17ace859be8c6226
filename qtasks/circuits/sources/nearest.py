"""What a user may have meant by a name that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

_SHOWN = 5
_COMPARED = 20_000


def hint(name: str, existing: Collection[str]) -> str:
    """A sentence with the existing names that end like the path `name`, else with those that are spelt like it, else
    with the first few; empty when there are none."""
    some = list(existing)[:_COMPARED]
    by_ending = [path for path in some if path.rpartition("/")[2] == name.rpartition("/")[2]]
    near = by_ending[:3] or difflib.get_close_matches(name, some, n=3, cutoff=0.6)
    if near:
        return f"Did you mean {_listed(near)}?"
    return f"There is {_listed(some[:_SHOWN])}{' and more' if len(some) > _SHOWN else ''}." if some else ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
