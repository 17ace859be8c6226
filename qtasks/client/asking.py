"""What a question to the queue may be made of, checked before it is asked, and what is said of one that nobody has
answered. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from qtasks.errors import InvalidInput, WaitTimeout
from qtasks.lifecycle import Phase
from qtasks.resources import Priority
from qtasks.store.costs import GROUPS, LABEL


def phase(name: str) -> Phase:
    """Raises InvalidInput (`InvalidPhase`)."""
    try:
        return Phase(name)
    except ValueError:
        raise InvalidInput(
            f'"{name}" is no phase.', reason="InvalidPhase", hint=f"There are {', '.join(Phase)}."
        ) from None


def priority(name: str) -> Priority:
    """Raises InvalidInput (`InvalidPriority`)."""
    try:
        return Priority(name)
    except ValueError:
        raise InvalidInput(
            f'"{name}" is no priority.', reason="InvalidPriority", hint=f"There are {', '.join(Priority)}."
        ) from None


def group(by: str) -> str:
    """By what costs are shown. Raises InvalidInput (`UnknownGroup`)."""
    if by in GROUPS or (by.startswith(LABEL) and len(by) > len(LABEL)):
        return by
    raise InvalidInput(
        f'Costs cannot be shown by "{by[:80]}".', reason="UnknownGroup", hint=f"Use one of {', '.join(GROUPS)}."
    )


def moment(time: datetime | None) -> datetime | None:
    """Raises InvalidInput (`InvalidTime`) for a time that says of no place when it is."""
    if time is not None and time.tzinfo is None:
        raise InvalidInput(
            f"{time.isoformat()} has no time zone.",
            reason="InvalidTime",
            hint="Give one: datetime.now(UTC), or .astimezone() for the local time.",
        )
    return time


def selector(labels: Mapping[str, str] | str | None) -> str | None:
    """A label selector as text; a mapping asks for each of its labels."""
    if not isinstance(labels, Mapping):
        return labels or None
    return ",".join(f"{key}={value}" for key, value in labels.items()) or None


def not_final(names: Sequence[str], timeout: float | None) -> WaitTimeout:
    """What is said of jobs that were waited for in vain."""
    shown, more = sorted(names)[:3], f" and {len(names) - 3} more" if len(names) > 3 else ""
    return WaitTimeout(
        f"Not final after {timeout or 0:g} s: {', '.join(shown)}{more}.",
        hint="The jobs go on; wait again, or look at `qtasks describe`.",
    )
