"""Principals, tokens and decisions as plain JSON data. Pure; nothing of a token but how it begins."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from qtasks.results import timestamp

Document = dict[str, Any]


def binding_document(binding: Any) -> Document:
    return {"namespace": binding.namespace, "role": str(binding.role), "urgent": bool(binding.urgent)}


def token_document(row: Any, now: datetime) -> Document:
    state = "Revoked" if row.revoked_at else "Expired" if row.expires_at and row.expires_at <= now else "Active"
    return {
        "prefix": row.prefix,
        "state": state,
        "createdAt": timestamp(row.created_at),
        "createdBy": row.created_by,
        "expiresAt": _time(row.expires_at),
        "usedAt": _time(row.used_at),
        "revokedAt": _time(row.revoked_at),
    }


def decision_document(row: Any) -> Document:
    return {
        "kind": "Decision",
        "name": str(row.id),
        "at": timestamp(row.at),
        "principal": row.principal,
        "verb": row.verb,
        "namespace": row.namespace,
        "object": row.object,
        "allowed": row.allowed,
        "reason": row.reason,
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)
