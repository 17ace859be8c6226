"""Principals, roles, quotas: the one place that says who may. Pure; `client.guard` asks it, `store.access` keeps it."""

from qtasks.access.quotas import limits_of, within
from qtasks.access.refusals import job_not_found, refused, token_expired, token_invalid, token_required, token_revoked
from qtasks.access.rules import (
    ALLOWED,
    EVERYWHERE,
    LEAST,
    LOCAL,
    Binding,
    Caller,
    Decision,
    Role,
    Verb,
    decide,
    decide_binding,
)
from qtasks.access.tokens import Token, digest, is_prefix, is_token, new_token

__all__ = [
    "ALLOWED",
    "EVERYWHERE",
    "LEAST",
    "LOCAL",
    "Binding",
    "Caller",
    "Decision",
    "Role",
    "Token",
    "Verb",
    "decide",
    "decide_binding",
    "digest",
    "is_prefix",
    "is_token",
    "job_not_found",
    "limits_of",
    "new_token",
    "refused",
    "token_expired",
    "token_invalid",
    "token_required",
    "token_revoked",
    "within",
]
