"""Which candidate a job runs on: refusals, scores, and the best of those that remain. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from math import log
from statistics import median

from qtasks.costs.prices import PriceList
from qtasks.scheduling import scoring
from qtasks.scheduling.candidates import Candidate, JobFacts
from qtasks.scheduling.estimates import Estimate, Estimator
from qtasks.scheduling.fidelity import IDEAL, Basis, Fidelity, estimated
from qtasks.scheduling.refusals import Refusal, refusal
from qtasks.scheduling.scoring import Scores
from qtasks.scheduling.waits import FRESH_SECONDS, Source, Wait, age_seconds, wait_of

Key = tuple[str, str]
"""A device and its calibration."""
Fidelities = Mapping[Key, Fidelity]
HOPE = 0.5
"""Of the errors that compiling for other devices found, what one hopes for while there is time to look."""


@dataclass(frozen=True, slots=True)
class Row:
    """A candidate with all that is known of it."""

    candidate: Candidate
    refusal: Refusal | None
    scores: Scores | None
    """None for one that is refused."""
    estimate: Estimate
    fidelity: Fidelity
    wait: Wait
    notes: tuple[str, ...] = ()
    """What is to be known of the figures: that they are stale, or missing."""

    @property
    def device(self) -> str:
        return self.candidate.entry.name

    @property
    def type(self) -> str:
        return self.candidate.entry.type

    @property
    def account(self) -> str | None:
        return None if self.candidate.account is None else self.candidate.account.name


@dataclass(frozen=True, slots=True)
class Selection:
    """What was chosen, and the whole table: the chosen one first, then by tier and score, the refused last."""

    chosen: Row | None
    rows: tuple[Row, ...]
    reason: str
    """CamelCase: `BackendSelected`, `SimulatorFallback`, or why none was chosen."""
    message: str
    heals: bool = False
    """Of none: whether one may qualify later, so that the job had better wait."""
    at: datetime | None = None

    def best_first(self) -> list[Row]:
        """The rows that qualify, in the order in which they would be chosen."""
        return [row for row in self.rows if row.refusal is None]


def select(
    facts: JobFacts,
    candidates: Sequence[Candidate],
    *,
    now: datetime,
    fidelities: Fidelities | None = None,
    prices: PriceList | None = None,
    simulator_rate: Decimal = Decimal(0),
    hopeful: bool = False,
) -> Selection:
    """Choose. `fidelities`: what is known by compiling; for every other device the circuit's gates are held against its
    typical errors, and the routing that was needed elsewhere is reckoned in: less than the least of it when `hopeful`,
    otherwise the median."""
    rows = []
    known = fidelities or {}
    estimate = Estimator(facts, prices=prices, simulator_rate=simulator_rate)
    routing = _routing(facts, candidates, known, hopeful=hopeful)
    for each in candidates:
        wait = _wait(each)
        fidelity = _fidelity(facts, each, known, routing)
        expected = estimate(each, fidelity, wait)
        why = refusal(facts, each, wait, now) or _compiled(fidelity) or _priced(facts, expected)
        rows.append(Row(each, why, None, expected, fidelity, wait, _notes(each, fidelity, wait, now)))
    return _decide(facts, _scored(facts, rows, now), now)


def key_of(candidate: Candidate) -> Key:
    return candidate.entry.name, candidate.entry.calibration or ""


def _wait(candidate: Candidate) -> Wait:
    """The device's, or, where that is longer, until the account has something left again."""
    wait, account = wait_of(candidate.entry), candidate.account
    frees = None if account is None else account.frees_seconds
    if frees is not None and (wait.seconds is None or frees > wait.seconds):
        return replace(wait, seconds=frees)
    return wait


def _fidelity(facts: JobFacts, candidate: Candidate, known: Fidelities, routing: float) -> Fidelity:
    entry = candidate.entry
    if entry.simulator and entry.calibration is None:
        return IDEAL
    return known.get(key_of(candidate)) or estimated(facts.analysis, entry.errors, routing)


def _routing(facts: JobFacts, candidates: Iterable[Candidate], known: Fidelities, *, hopeful: bool) -> float:
    """How many times the errors of its gates as written a compiled circuit has: what compiling for some devices tells
    of the others. 1 where it was compiled for none."""
    ratios = []
    for each in candidates:
        compiled = known.get(key_of(each))
        if compiled is None or not compiled.value:
            continue
        guess = estimated(facts.analysis, each.entry.errors).value
        if guess is not None and 0 < guess < 1:
            ratios.append(log(compiled.value) / log(guess))
    if not ratios:
        return 1.0
    return HOPE * min(ratios) if hopeful else median(ratios)


def _compiled(fidelity: Fidelity) -> Refusal | None:
    return None if fidelity.problem is None else Refusal("TranspilerError", fidelity.problem)


def _priced(facts: JobFacts, expected: Estimate) -> Refusal | None:
    if not facts.budgeted or expected.cost is not None:
        return None
    return Refusal("PriceUnknown", f"Under a budget: {expected.price}.")


def _notes(candidate: Candidate, fidelity: Fidelity, wait: Wait, now: datetime) -> tuple[str, ...]:
    entry, account = candidate.entry, candidate.account
    if account is None:
        return ()
    notes = []
    age = age_seconds(entry.queue_at, now)
    if age is None:
        notes.append("the catalogue does not have it")
    elif age > FRESH_SECONDS:
        state = "in service" if entry.available else "out of service"
        notes.append(f"stale: {state} and its queue as of {_ago(age)} ago")
    if account.frees_seconds is not None:
        notes.append(f"the allowance of {account.name} is used up for {_ago(account.frees_seconds)}")
    if wait.source is Source.UNKNOWN and wait.seconds is None:
        notes.append("nobody knows its wait")
    if fidelity.basis is Basis.UNKNOWN:
        notes.append("nobody knows its errors")
    elif fidelity.basis is Basis.ESTIMATED:
        notes.append("fidelity estimated without compiling")
    return tuple(notes)


def _ago(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _scored(facts: JobFacts, rows: Sequence[Row], now: datetime) -> list[Row]:
    """The rows with their scores: prices and fidelities are measured by those of the rows that qualify."""
    able = [row for row in rows if row.refusal is None]
    typical = scoring.typical_price(row.estimate.cost for row in able)
    best = max((row.fidelity.value for row in able if row.fidelity.value is not None), default=None)

    def scores(row: Row) -> Scores:
        entry = row.candidate.entry
        age = 0.0 if row.candidate.account is None else age_seconds(entry.queue_at, now)
        return scoring.weighted(
            facts.weights,
            cost=scoring.cost_score(row.estimate.cost, typical),
            queue_time=scoring.queue_time_score(row.wait.seconds),
            capability=scoring.capability_score(row.fidelity.value, best),
            availability=scoring.availability_score(entry.available, age),
        )

    return [row if row.refusal is not None else replace(row, scores=scores(row)) for row in rows]


def _rank(row: Row) -> tuple[object, ...]:
    """Smallest first. What scores alike goes to the account with most left, then to the one where fewest wait."""
    account = row.candidate.account
    left = float("inf") if account is None or account.left_seconds is None else account.left_seconds
    total = row.scores.total if row.scores is not None else 0.0
    waiting = 0 if account is None else account.waiting
    return (
        row.refusal is not None,
        row.candidate.tier,
        -round(total, 9),
        -left,
        waiting,
        row.device,
        row.account or "",
    )


def _decide(facts: JobFacts, rows: Sequence[Row], now: datetime) -> Selection:
    ordered = tuple(sorted(rows, key=_rank))
    if ordered and ordered[0].refusal is None:
        chosen = ordered[0]
        where = chosen.device + (f" under account {chosen.account}" if chosen.account else "")
        if chosen.candidate.tier and chosen.candidate.entry.simulator:
            return Selection(chosen, ordered, "SimulatorFallback", f"No device qualifies; {where} stands in.", at=now)
        able = sum(row.refusal is None and row.candidate.tier == chosen.candidate.tier for row in ordered)
        best = "" if able == 1 else f", the best of {able}"
        return Selection(chosen, ordered, "BackendSelected", f"The job runs on {where}{best}.", at=now)
    if not ordered:
        return Selection(None, (), "NoCandidate", f"No device is known for {_types(facts)}.", heals=True, at=now)
    return Selection(None, ordered, *_why_none(ordered), at=now)


def _types(facts: JobFacts) -> str:
    return " or ".join(kind.value for kind in facts.types)


def _why_none(rows: Sequence[Row]) -> tuple[str, str, bool]:
    """Reason, sentence, and whether waiting may help. One reason for all is the job's own."""
    refusals = [(row.device, row.refusal) for row in rows if row.refusal is not None]
    reasons = {why.reason for _, why in refusals}
    shown = [f"{device}: {why.message}" for device, why in refusals[:3]]
    more = f" And {len(refusals) - 3} more." if len(refusals) > 3 else ""
    reason = reasons.pop() if len(reasons) == 1 else "NoBackendQualifies"
    return reason, f"No device qualifies. {' '.join(shown)}{more}", any(why.heals for _, why in refusals)
