"""Why a job runs where it does: the table of candidates. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from qtasks.api.page.views import words
from qtasks.resources import Money

_SCORES = ("total", "cost", "queueTime", "capability", "availability")
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Candidate:
    device: str
    account: str
    chosen: bool
    scores: tuple[str, ...]
    """Total, cost, queue time, capability, availability: 0.00 to 1.00, or a dash."""
    total: float
    price: str
    wait: str
    fidelity: str
    notes: str
    why_not: str


@dataclass(frozen=True, slots=True)
class Choice:
    message: str
    reason: str
    candidates: tuple[Candidate, ...]
    omitted: int
    earlier: tuple[str, ...]


def choice(document: Mapping[str, Any]) -> Choice:
    """Of what `Gateway.explain` gives."""
    selection = document["selection"]
    candidates = tuple(
        _candidate(one, chosen=number == 0 and selection["chosen"] is not None)
        for number, one in enumerate(selection["candidates"])
    )
    earlier = tuple(
        f"Attempt {one['attempt']}: {one['selection']['message']} [{one['selection']['reason']}]"
        for one in document.get("earlier", ())
    )
    return Choice(selection["message"], selection["reason"], candidates, selection["omitted"], earlier)


def _candidate(one: Mapping[str, Any], *, chosen: bool) -> Candidate:
    scores = one["scores"] or {}
    fidelity, guess = one["fidelity"], "~" if one["fidelityBasis"] == "estimated" else ""
    return Candidate(
        device=one["device"],
        account=one["account"] or words.NOTHING,
        chosen=chosen,
        scores=tuple(f"{scores[name]:.2f}" if name in scores else words.NOTHING for name in _SCORES),
        total=round(1000 * scores.get("total", 0.0), 1),
        price=UNKNOWN if one["cost"] is None else str(Money(Decimal(one["cost"]))),
        wait=UNKNOWN if one["waitSeconds"] is None else words.human(one["waitSeconds"]),
        fidelity=UNKNOWN if fidelity is None else f"{guess}{fidelity:.3g}",
        notes="; ".join(one["notes"]),
        why_not=one["whyNot"]["message"] if one["whyNot"] else "",
    )
