"""What `qtasks wait --for` waits for. Pure: documents and events in, yes or no out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from qtasks.cli import jsonpath
from qtasks.cli.nouns import meant
from qtasks.errors import InvalidInput
from qtasks.lifecycle import ConditionType, Phase

Document = Mapping[str, Any]

FORMS = "Completed, final, phase=PHASE, condition=TYPE[=STATUS] or jsonpath={PATH}[=VALUE]"
_STATUSES = ("True", "False", "Unknown")


class Sort(StrEnum):
    """By what a goal is known to be reached."""

    FINAL = "final"
    PHASE = "phase"
    CONDITION = "condition"
    JSONPATH = "jsonpath"


@dataclass(frozen=True, slots=True)
class Goal:
    """One choice of `--for`."""

    sort: Sort
    name: str = ""
    """A phase, the type of a condition, or a template."""
    value: str | None = None
    """The status, or the text; None for any text but none."""

    def met(self, document: Document, passed: Iterable[Phase] = ()) -> bool:
        """Whether a job is there; a phase counts when the job is, or was, in it (`passed`)."""
        status = document["status"]
        if self.sort is Sort.FINAL:
            return Phase(status["phase"]).final
        if self.sort is Sort.PHASE:
            return Phase(self.name) in (status["phase"], *passed)
        if self.sort is Sort.CONDITION:
            return any(known["type"] == self.name and known["status"] == self.value for known in status["conditions"])
        found = jsonpath.evaluate(self.name, document)
        return bool(found) if self.value is None else found == self.value

    def possible(self, document: Document) -> bool:
        """Whether a job that is not there may get there yet: nothing but its output's delivery follows its end."""
        phase = Phase(document["status"]["phase"])
        late = self.sort is Sort.JSONPATH or self.name == ConditionType.OUTPUT_DELIVERED
        return not phase.final or (late and phase is Phase.COMPLETED and bool(document["spec"].get("output")))

    def __str__(self) -> str:
        if self.sort is Sort.FINAL:
            return self.sort.value
        usual = self.value is None or (self.sort is Sort.CONDITION and self.value == "True")
        return f"{self.sort.value}={self.name}{'' if usual else f'={self.value}'}"


def goal(text: str) -> Goal:
    """The goal that an option's value stands for. Raises InvalidInput (`InvalidGoal`, `InvalidJSONPath`)."""
    word, equals, rest = text.partition("=")
    if not equals and word.lower() in ("completed", "final"):
        return Goal(Sort.FINAL) if word.lower() == "final" else Goal(Sort.PHASE, Phase.COMPLETED)
    if word == Sort.PHASE and rest:
        return Goal(Sort.PHASE, _one_of(rest, Phase, "phase"))
    if word == Sort.CONDITION and rest:
        name, _, status = rest.partition("=")
        return Goal(
            Sort.CONDITION, _one_of(name, ConditionType, "condition"), _one_of(status or "True", _STATUSES, "status")
        )
    if word == Sort.JSONPATH and rest.startswith("{"):
        end = rest.rfind("}") + 1
        jsonpath.evaluate(rest[:end], {})
        return Goal(Sort.JSONPATH, rest[:end], rest[end + 1 :] if rest[end : end + 1] == "=" else None)
    raise InvalidInput(f'--for: "{text}" is nothing to wait for.', reason="InvalidGoal", hint=f"Write {FORMS}.")


def _one_of(word: str, known: Iterable[str], what: str) -> str:
    words = list(known)
    found = next((each for each in words if each.lower() == word.lower()), None)
    if found is None:
        raise InvalidInput(
            f'--for: there is no {what} "{word}".',
            reason="InvalidGoal",
            hint=f"{meant(word, words)}There are {', '.join(words)}.",
        )
    return str(found)
