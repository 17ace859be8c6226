"""What was found of one part, and how bad that is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from qtasks.errors import InvalidInput, QTasksError


class Mark(StrEnum):
    """How a part does: `absent` where there is nothing to find fault with yet, `wrong` where a setting is."""

    ABSENT = "-"
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    WRONG = "wrong"

    @property
    def exit_code(self) -> int:
        """As the command line's: 0, 2 for what was set wrongly, 5 for what does not serve."""
        return {Mark.FAIL: 5, Mark.WRONG: 2}.get(self, 0)


@dataclass(frozen=True, slots=True)
class Finding:
    """One part and how it does; `hint` is what to do, `reason` the code of what is wrong."""

    part: str
    mark: Mark
    detail: str
    hint: str = ""
    reason: str = ""


Found = Iterable[Finding]


def ok(part: str, detail: str) -> Finding:
    return Finding(part, Mark.OK, detail)


def absent(part: str, detail: str) -> Finding:
    return Finding(part, Mark.ABSENT, detail)


def warn(part: str, detail: str, hint: str, reason: str) -> Finding:
    return Finding(part, Mark.WARN, detail, hint, reason)


def of_error(part: str, error: QTasksError) -> Finding:
    """A part that raised."""
    mark = Mark.WRONG if isinstance(error, InvalidInput) else Mark.FAIL
    return Finding(part, mark, error.message, error.hint, error.reason)


def tried(part: str, probe: Callable[[], Found]) -> Iterator[Finding]:
    """What `probe` finds, and what it raises: what is wrong with one part does not keep the others from being tried."""
    try:
        yield from probe()
    except QTasksError as error:
        yield of_error(part, error)
    except Exception as error:  # a library's own: its text may hold anything
        detail = f"It cannot be tried: {type(error).__name__}."
        yield Finding(part, Mark.FAIL, detail, "`python -X dev -m qtasks.cli doctor` may say more.", "Unexpected")


def worst(found: Iterable[Finding]) -> int:
    """The exit code that these findings come to: 5 before 2 before 0."""
    return max((one.mark.exit_code for one in found), default=0)
