"""What the API server says when it says no, in Kubernetes' words."""

from __future__ import annotations

from typing import Any

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Expired",
    415: "UnsupportedMediaType",
    422: "Invalid",
    503: "ServiceUnavailable",
}


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, code: int, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.reason = code, message, reason or _REASONS[code]

    @property
    def status(self) -> dict[str, Any]:
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }


def not_found(plural: str, group: str, name: str) -> Refused:
    return Refused(404, f'{qualified(plural, group)} "{name}" not found')


def exists(plural: str, group: str, name: str) -> Refused:
    return Refused(409, f'{qualified(plural, group)} "{name}" already exists', "AlreadyExists")


def changed(plural: str, group: str, name: str) -> Refused:
    return Refused(
        409,
        f'Operation cannot be fulfilled on {qualified(plural, group)} "{name}": the object has been modified; please '
        "apply your changes to the latest version and try again",
    )


def invalid(kind: str, group: str, name: str, problem: str) -> Refused:
    return Refused(422, f'{qualified(kind, group)} "{name}" is invalid: {problem}')


def qualified(what: str, group: str) -> str:
    return f"{what}.{group}" if group else what
