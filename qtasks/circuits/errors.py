"""What can be wrong with a circuit, as one exception that also crosses the sandbox's pipe as plain data."""

from __future__ import annotations

from typing import Any

from qtasks.errors import InvalidInput

MESSAGE_CHARACTERS = 2000
TEXT_CHARACTERS = 300


class CircuitError(InvalidInput):
    """The circuit is wrong: `line` and `column` say where, and `text` is that line.

    Lines count from 1. A column is the parser's own: from 0 for OpenQASM, from 1 for Python.
    """

    reason = "InvalidCircuit"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        hint: str | None = None,
        line: int | None = None,
        column: int | None = None,
        text: str | None = None,
    ) -> None:
        place = {"line": line, "column": column, "text": text and text[:TEXT_CHARACTERS]}
        super().__init__(
            message[:MESSAGE_CHARACTERS],
            reason=reason,
            hint=hint,
            details={key: value for key, value in place.items() if value is not None},
        )

    def as_data(self) -> dict[str, Any]:
        """Plain JSON data: `reason`, `message`, `hint`, and of `line`, `column`, `text` what is known."""
        return {"reason": self.reason, "message": self.message, "hint": self.hint, **self.details}

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.as_data(),)


def _rebuild(data: dict[str, Any]) -> CircuitError:
    return CircuitError(data.pop("message"), **data)


def line_of(source: str, line: int | None) -> str | None:
    """The text of one line of a source, counted from 1; None when there is no such line."""
    if line is None or line < 1:
        return None
    lines = source.split("\n", line)
    return lines[line - 1].rstrip("\r")[:TEXT_CHARACTERS] if line <= len(lines) else None


def say(error: BaseException) -> str:
    """An exception's message, also when a hostile source made its `__str__` raise."""
    try:
        return str(error)[:MESSAGE_CHARACTERS]
    except BaseException:
        return "(its message cannot be shown)"


def plain(text: str) -> str:
    """A user's words as text that databases and JSON take: NUL characters and halves of surrogate pairs replaced."""
    if text.isascii():
        return text.replace("\0", "\ufffd")
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
