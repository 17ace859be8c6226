"""Why a candidate cannot be used. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from qtasks.backends.compatibility import Capabilities, problems, together
from qtasks.resources.backend import Requirements
from qtasks.scheduling.candidates import Candidate, JobFacts, Simulators
from qtasks.scheduling.waits import FRESH_SECONDS, Wait, age_seconds
from qtasks.store.catalogue import Entry


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a candidate is not used; `heals`: it may be, later."""

    reason: str
    message: str
    heals: bool = False


def refusal(facts: JobFacts, candidate: Candidate, wait: Wait, now: datetime) -> Refusal | None:
    """Why a candidate cannot be used; None when it can. What a job names it gets, if it can run there at all."""
    entry, able = candidate.entry, candidate.capabilities
    if entry.problem:
        return Refusal("NoCircuits", entry.problem)
    if able is not None and (why := problems(facts.analysis, facts.shots, able, method=facts.method)):
        return Refusal(why[0].reason, " ".join(dict.fromkeys(problem.message for problem in why)))
    if able is not None and (why := together(facts.runs, able, alike=facts.runs * facts.shots == facts.total_shots)):
        return Refusal(why[0].reason, f"{why[0].message} {why[0].hint}")
    if candidate.named:
        return None
    if entry.simulator and candidate.account is not None and facts.simulators is Simulators.NEVER:
        return Refusal("IsSimulator", "It is a simulator, and fallbackToSimulator is not set.")
    if able is None:
        return Refusal("NotKnownYet", "Its provider has not been asked yet what it can do.", heals=True)
    return _in_service(entry, now) or _requirements(facts.requirements, entry, able, wait)


def _in_service(entry: Entry, now: datetime) -> Refusal | None:
    age = age_seconds(entry.queue_at, now)
    if entry.available or age is None or age > FRESH_SECONDS:
        return None
    said = f": {entry.message.rstrip('.')}" if entry.message else ""
    return Refusal("OutOfService", f"It is not in service{said}.", heals=True)


def _requirements(wanted: Requirements, entry: Entry, able: Capabilities, wait: Wait) -> Refusal | None:
    if wanted.min_qubits is not None and able.qubits is not None and able.qubits < wanted.min_qubits:
        return Refusal(
            "TooFewQubits", f"It has {able.qubits:,} qubits; requirements.minQubits is {wanted.min_qubits:,}."
        )
    if wanted.max_error is not None:
        error = 0.0 if entry.simulator and entry.account else entry.mean_error
        if error is None:
            return Refusal("ErrorUnknown", "Its mean gate error is not known, and requirements.maxError is set.")
        if error > wanted.max_error:
            return Refusal(
                "ErrorTooLarge", f"Its mean gate error is {error:.2%}; requirements.maxError is {_share(wanted)}."
            )
    longest = None if wanted.max_queue_time is None else wanted.max_queue_time.seconds
    if longest is not None and wait.seconds is not None and wait.seconds > longest:
        message = f"The wait is {wait.seconds:,.0f} s ({wait}); requirements.maxQueueTime is {longest:,.0f} s."
        return Refusal("QueueTooLong", message, heals=True)
    return None


def _share(wanted: Requirements) -> str:
    return f"{wanted.max_error:.2%}"
