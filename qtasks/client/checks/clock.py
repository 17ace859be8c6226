"""How far this machine's clock is from another's. Leases are counted by the database's; signatures of requests, tokens
and certificates by everybody's own."""

from __future__ import annotations

from datetime import datetime

from qtasks.client.checks.finding import Finding, Mark

WARN_SECONDS = 1.0
FAIL_SECONDS = 5.0
_HINT = "Have both machines keep time by NTP."


def skewed(part: str, theirs: datetime, before: datetime, after: datetime) -> Finding:
    """What the time that another clock told between two looks at ours says: how far it is ahead, at the least."""
    ahead = 0.0
    if theirs > after:
        ahead = (theirs - after).total_seconds()
    elif theirs < before:
        ahead = (theirs - before).total_seconds()
    where = "ahead of" if ahead > 0 else "behind"
    detail = (
        f"{abs(ahead):.1f} s {where} this machine's" if abs(ahead) >= WARN_SECONDS else "within a second of this one"
    )
    if abs(ahead) >= FAIL_SECONDS:
        return Finding(part, Mark.FAIL, detail, _HINT, "ClockSkewed")
    if abs(ahead) >= WARN_SECONDS:
        return Finding(part, Mark.WARN, detail, _HINT, "ClockSkewed")
    return Finding(part, Mark.OK, detail)
