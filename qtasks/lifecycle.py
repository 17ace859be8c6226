"""What may become of a job: stages, phases, conditions, and the one table of transitions. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """A kind of work on a job."""

    VALIDATION = "validation"
    SCHEDULING = "scheduling"
    EXECUTION = "execution"
    POLLING = "polling"


class Queue(StrEnum):
    """Where work waits for those workers that are made for it: the stage, and behind a dot the class of the job.

    Execution's classes are sizes of simulations (see `scheduling.classes`), and what is handed to a provider, which
    takes a way out of the network and credentials in place of cores.
    """

    VALIDATION = "validation"
    FETCH = "validation.fetch"
    SCHEDULING = "scheduling"
    SMALL = "execution"
    MEDIUM = "execution.medium"
    LARGE = "execution.large"
    HUGE = "execution.huge"
    PROVIDER = "execution.provider"
    POLLING = "polling"

    @property
    def stage(self) -> Stage:
        return Stage(self.value.partition(".")[0])

    @classmethod
    def of(cls, *stages: Stage) -> tuple[Queue, ...]:
        """All queues of these stages."""
        return tuple(queue for queue in cls if queue.stage in stages)


SIMULATION = (Queue.SMALL, Queue.MEDIUM, Queue.LARGE, Queue.HUGE)
"""The classes of simulations, the smallest first."""


class Phase(StrEnum):
    """Where a job stands, as its user sees it."""

    PENDING = "Pending"
    VALIDATING = "Validating"
    SCHEDULING = "Scheduling"
    RUNNING = "Running"
    RETRYING = "Retrying"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELLED = "Cancelled"

    @property
    def final(self) -> bool:
        return self in FINAL


FINAL = frozenset({Phase.COMPLETED, Phase.FAILED, Phase.CANCELLED})


class ConditionType(StrEnum):
    """What is known of a job beside its phase, in the form of Kubernetes' conditions."""

    VALIDATED = "Validated"
    BUDGET_CHECKED = "BudgetChecked"
    SCHEDULED = "Scheduled"
    SUBMITTED = "Submitted"
    EXECUTED = "Executed"
    RESULT_STORED = "ResultStored"
    OUTPUT_DELIVERED = "OutputDelivered"


class ConditionStatus(StrEnum):
    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Transition:
    """One allowed change of phase, and what brings it about."""

    source: Phase
    target: Phase
    cause: str


TRANSITIONS: tuple[Transition, ...] = (
    Transition(Phase.PENDING, Phase.VALIDATING, "a validation worker claims the job"),
    Transition(Phase.PENDING, Phase.SCHEDULING, "a worker that can hold the job has come"),
    Transition(Phase.VALIDATING, Phase.SCHEDULING, "the circuit is valid"),
    Transition(Phase.VALIDATING, Phase.RETRYING, "the circuit's source cannot be reached"),
    Transition(Phase.VALIDATING, Phase.FAILED, "the circuit is invalid, or its source gives none"),
    Transition(Phase.SCHEDULING, Phase.RUNNING, "an execution worker claims the job"),
    Transition(Phase.SCHEDULING, Phase.COMPLETED, "the result of an identical job is reused"),
    Transition(Phase.SCHEDULING, Phase.PENDING, "no worker can hold the job (ResourceConstraints)"),
    Transition(Phase.SCHEDULING, Phase.FAILED, "no backend will ever take the job"),
    Transition(Phase.RUNNING, Phase.SCHEDULING, "its account turns out to have no allowance left"),
    Transition(Phase.RUNNING, Phase.COMPLETED, "the result is stored"),
    Transition(Phase.RUNNING, Phase.RETRYING, "the attempt failed and may heal"),
    Transition(Phase.RUNNING, Phase.FAILED, "the attempt failed for good"),
    Transition(Phase.RETRYING, Phase.VALIDATING, "its time to fetch the source again has come"),
    Transition(Phase.RETRYING, Phase.SCHEDULING, "its time to try again has come"),
    *(Transition(phase, Phase.FAILED, "its total time ran out") for phase in (Phase.PENDING, Phase.RETRYING)),
    *(Transition(phase, Phase.CANCELLED, "the user cancels") for phase in Phase if phase not in FINAL),
)

_ALLOWED = frozenset((t.source, t.target) for t in TRANSITIONS)

ENTRY = {Stage.VALIDATION: Phase.VALIDATING, Stage.SCHEDULING: Phase.SCHEDULING, Stage.EXECUTION: Phase.RUNNING}
"""The phase a job is in while a worker does each stage's work."""


def may(source: Phase, target: Phase) -> bool:
    """Whether a job in `source` may go to `target`; staying where it is (a takeover) is no transition and allowed,
    except in a final phase, which nothing leaves."""
    return (source == target and source not in FINAL) or (source, target) in _ALLOWED


def sources(target: Phase) -> tuple[Phase, ...]:
    """The phases a write of `target` may start from: the guard of every such write."""
    return tuple(phase for phase in Phase if may(phase, target))


def backoff_seconds(retry: int, *, initial: float, maximum: float, multiplier: float) -> float:
    """Seconds to wait before the `retry`-th retry (1 for the first): `initial · multiplier^(retry-1)`, at most
    `maximum`."""
    if multiplier <= 1:
        return min(initial, maximum)
    wait = initial
    for _ in range(retry - 1):
        wait *= multiplier
        if wait >= maximum:
            return maximum
    return min(wait, maximum)


def mermaid() -> str:
    """The state diagram of `TRANSITIONS`, for docs/."""
    return "\n".join(_diagram()) + "\n"


def _diagram() -> Iterator[str]:
    yield "stateDiagram-v2"
    yield "    [*] --> Pending: submitted"
    for t in TRANSITIONS:
        yield f"    {t.source} --> {t.target}: {t.cause}"
    for phase in Phase:
        if phase in FINAL:
            yield f"    {phase} --> [*]"
