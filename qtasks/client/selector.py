"""Label selectors as kubectl writes them: `app=qtasks,team!=ops,algorithm in (vqe, qaoa),gpu,!old`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from qtasks.errors import InvalidInput
from qtasks.store.jobs import Requirement

_KEY = r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?"
_VALUE = r"[A-Za-z0-9._-]*"
_TERM = re.compile(
    rf"\s*(?:(?P<absent>!)?(?P<key>{_KEY})"
    rf"(?:\s*(?P<op>==|=|!=)\s*(?P<value>{_VALUE})|\s+(?P<set>in|notin)\s*\((?P<values>[^()]*)\))?)\s*(?:,|$)"
)


def parse_selector(selector: Mapping[str, str] | str | None) -> tuple[Requirement, ...]:
    """The terms of a selector; raises InvalidInput (reason `InvalidSelector`) with where it stops making sense."""
    if not selector:
        return ()
    if isinstance(selector, Mapping):
        return tuple(Requirement(key, (value,)) for key, value in selector.items())
    terms = []
    place = 0
    while place < len(selector):
        match = _TERM.match(selector, place)
        if match is None or (match["absent"] and (match["op"] or match["set"])):
            raise InvalidInput(
                f'The label selector makes no sense from "{selector[place:]}".',
                reason="InvalidSelector",
                hint="Write key=value, key!=value, key in (a, b), key notin (a, b), key or !key, with commas between.",
            )
        terms.append(_requirement(match))
        place = match.end()
    return tuple(terms)


def _requirement(match: re.Match[str]) -> Requirement:
    if match["set"]:
        values = tuple(value.strip() for value in match["values"].split(","))
        return Requirement(match["key"], values, negated=match["set"] == "notin")
    if match["op"]:
        return Requirement(match["key"], (match["value"],), negated=match["op"] == "!=")
    return Requirement(match["key"], None, negated=bool(match["absent"]))
