"""Lifecycle rules for a bucket that go with retention: a second net, and catches nothing that rows point at. Pure."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MARGIN_DAYS = 90
"""Days beyond what is kept the longest: an object may be 60 days older than the end of its job (see `stages.orphans`),
and 30 days may pass in which nobody removes anything."""
_UPLOAD_DAYS = 7
_VERSION_DAYS = 30
_PROBE_DAYS = 1


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of the objects under one folder of the store. Days count from the writing of an object, or from when
    its version ceased to be the current one."""

    folder: str
    """As `completed/`."""
    expire_days: int | None = None
    """None: a current object is never removed."""
    version_days: int = _VERSION_DAYS
    """For how long a bucket with versions keeps those that were replaced or deleted."""


def rules(longest_seconds: float | None) -> tuple[Rule, ...]:
    """The rules of a store whose objects are kept for at most so many seconds after a job's end; None: for ever, where
    any namespace says so. A job may wait for any length of time, so nothing under `pending/` goes by its age."""
    days = None if longest_seconds is None else math.ceil(longest_seconds / 86_400) + MARGIN_DAYS
    return (
        Rule("completed/", days),
        Rule("pending/"),
        Rule("calibrations/"),
        Rule("probe/", _PROBE_DAYS, _PROBE_DAYS),
    )


def s3_rules(wanted: Iterable[Rule], prefix: str) -> list[dict[str, Any]]:
    """The rules as S3 writes them; `prefix`: of the store in its bucket, empty or ending in a slash."""
    return [
        {
            "ID": _name(rule, prefix),
            "Status": "Enabled",
            "Filter": {"Prefix": prefix + rule.folder},
            "Expiration": {"ExpiredObjectDeleteMarker": True}
            if rule.expire_days is None
            else {"Days": rule.expire_days},
            "NoncurrentVersionExpiration": {"NoncurrentDays": rule.version_days},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _UPLOAD_DAYS},
        }
        for rule in wanted
    ]


def with_others_in_s3(there: Iterable[Mapping[str, Any]], own: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rules of a bucket with our own in place of those that were ours before."""
    ids = {rule["ID"] for rule in own}
    return [*(_filtered(rule) for rule in there if rule.get("ID") not in ids), *own]


def _filtered(rule: Mapping[str, Any]) -> dict[str, Any]:
    """The same rule, in the form that S3 takes beside rules with a filter."""
    if "Prefix" not in rule or "Filter" in rule:
        return dict(rule)
    return {**{name: value for name, value in rule.items() if name != "Prefix"}, "Filter": {"Prefix": rule["Prefix"]}}


def gcs_rules(wanted: Iterable[Rule], prefix: str) -> list[dict[str, Any]]:
    """The rules as Google Cloud Storage writes them."""
    found: list[dict[str, Any]] = []
    for rule in wanted:
        where = {"matchesPrefix": [prefix + rule.folder]}
        if rule.expire_days is not None:
            found.append({"action": {"type": "Delete"}, "condition": {"age": rule.expire_days, **where}})
        old = {"daysSinceNoncurrentTime": rule.version_days, **where}
        found.append({"action": {"type": "Delete"}, "condition": old})
        uploads = {"age": _UPLOAD_DAYS, **where}
        found.append({"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": uploads})
    return found


def with_others_in_gcs(there: Iterable[Mapping[str, Any]], own: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rules of a bucket with our own in place of those that were ours before: Google's have no names, so what
    deletes under exactly one of our folders is ours."""
    mine = {_what(rule) for rule in own}
    return [*(dict(rule) for rule in there if _what(rule) not in mine), *own]


def _what(rule: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    return rule["action"]["type"], tuple(rule["condition"].get("matchesPrefix", ()))


def _name(rule: Rule, prefix: str) -> str:
    # Several stores may share a bucket, each with rules of its own.
    return f"qtasks-{rule.folder.rstrip('/')}-{hashlib.sha256(prefix.encode()).hexdigest()[:8]}"
