"""Every error a user can see: one root, and a subclass for each thing the caller can do about it."""

from __future__ import annotations

from typing import Any


class QTasksError(Exception):
    """Something went wrong, with a reason code, a sentence, and what to do.

    `reason` is a CamelCase code that stays the same across releases, `message` one sentence for a person, `hint` the
    next thing to try (may be empty), `details` plain JSON data for a program.
    """

    reason = "InternalError"
    hint = ""

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        hint: str | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or type(self).reason
        self.hint = type(self).hint if hint is None else hint
        self.details = details or {}

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.reason, self.hint, self.details)


def _rebuild(cls: type[QTasksError], message: str, reason: str, hint: str, details: dict[str, Any]) -> QTasksError:
    return cls(message, reason=reason, hint=hint, details=details)


class InvalidInput(QTasksError):
    """What was sent is wrong: correct it and send it again."""

    reason = "InvalidInput"


class Conflict(QTasksError):
    """What was asked contradicts what is already there: use another name, or look at what is there."""

    reason = "Conflict"


class Forbidden(QTasksError):
    """The caller may not do this: ask whoever grants roles."""

    reason = "Forbidden"


class NotFound(QTasksError):
    """There is nothing of that name: check the name and the namespace."""

    reason = "NotFound"


class Unavailable(QTasksError):
    """A service could not be reached: wait and try again, or start it."""

    reason = "Unavailable"


class WaitTimeout(QTasksError):
    """The job was not final in the time given; it goes on, so wait again."""

    reason = "WaitTimeout"


class JobFailed(QTasksError):
    """The job ended as Failed or Cancelled: its reason and message are the job's own."""

    reason = "JobFailed"
