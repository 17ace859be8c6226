"""The errors of those who may not: each with its reason code, a sentence and what to do. Pure."""

from __future__ import annotations

from qtasks.access.rules import Decision
from qtasks.errors import Forbidden, NotFound


def refused(decision: Decision) -> Forbidden:
    """The error of a decision that was against the caller."""
    return Forbidden(decision.message, reason=decision.reason, hint=decision.hint)


def job_not_found(what: str, namespace: str | None = None) -> NotFound:
    """What is said of a job that is not there, word for word what `store.jobs` says: whoever may not see a job is not
    to know that there is one."""
    where = f" in namespace {namespace}" if namespace else ""
    return NotFound(
        f"There is no job {what}{where}.", reason="JobNotFound", hint="`qtasks get jobs -A` lists what there is."
    )


def token_required() -> Forbidden:
    return Forbidden(
        "This installation has principals, and no token says who is asking.",
        reason="TokenRequired",
        hint="Set QTASKS_API_TOKEN; an admin makes a token with `qtasks auth token NAME`.",
    )


def token_invalid() -> Forbidden:
    return Forbidden(
        "QTASKS_API_TOKEN is no token of this installation.",
        reason="TokenInvalid",
        hint="Check for a missing letter, or ask an admin for a new one: `qtasks auth token NAME`.",
    )


def token_revoked(prefix: str) -> Forbidden:
    return Forbidden(
        f"The token {prefix}… was revoked.",
        reason="TokenInvalid",
        hint="Ask an admin for a new one: `qtasks auth token NAME`.",
    )


def token_expired(prefix: str, when: str) -> Forbidden:
    return Forbidden(
        f"The token {prefix}… expired at {when}.",
        reason="TokenExpired",
        hint="Ask an admin for a new one: `qtasks auth token NAME`.",
    )
