"""Jobs as they came and as long as they took, on the pods that a policy gives them. Pure, in steps of a second."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.autoscaling.policy import Autoscaler, Policy
from bench.figures import percentile


@dataclass(frozen=True, slots=True)
class Arrival:
    """A job of the recording."""

    number: int
    at: float
    """Seconds from its beginning."""
    seconds: float
    """That it ran."""

    def slower(self, times: float) -> Arrival:
        """The same job, in a load that is played so many times slower."""
        return Arrival(self.number, self.at * times, self.seconds * times)


@dataclass
class _Pod:
    ready_at: float
    leaves: bool = False
    job: Arrival | None = None
    done_at: float = 0.0


@dataclass
class Outcome:
    """What came of one policy."""

    policy: str
    times: list[float] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    running: list[int] = field(default_factory=list)
    pods: list[int] = field(default_factory=list)
    began: dict[Arrival, float] = field(default_factory=dict)
    """When each job began the run that completed it."""
    completed: int = 0
    interrupted: int = 0
    """Runs that were killed as pods were taken away, and had to be made again."""
    pod_seconds: float = 0.0

    def wait(self, share: float) -> float:
        """The wait that `share` of the jobs do not exceed, in seconds."""
        return percentile([began - job.at for job, began in self.began.items()], share)


def simulate(
    arrivals: Sequence[Arrival], policy: Policy, *, start_seconds: float, step: float = 1.0, until: float = 86_400.0
) -> Outcome:
    """Run `arrivals` under `policy` until all are done, or the time is: under some policies that is never. A pod works
    `start_seconds` after it was asked for."""
    outcome = Outcome(policy.name)
    scaler = Autoscaler(policy)
    coming, queue = deque(sorted(arrivals, key=lambda job: job.at)), deque[Arrival]()
    pods: list[_Pod] = []
    now, look_at, done = 0.0, 0.0, 0
    while now < until and (done < len(arrivals) or pods):
        while coming and coming[0].at <= now:
            queue.append(coming.popleft())
        for pod in pods:
            if pod.job is not None and pod.done_at <= now:
                pod.job = None
                done += 1
                outcome.completed = done
        if now >= look_at:
            look_at = now + policy.every
            busy = sum(pod.job is not None for pod in pods)
            staying = [pod for pod in pods if not pod.leaves]
            wanted = scaler.replicas(now, len(queue), busy, len(staying))
            pods += [_Pod(now + start_seconds) for _ in range(wanted - len(staying))]
            # The controller prefers pods that are not ready, else the youngest; it knows nothing of jobs.
            for pod in sorted(staying, key=lambda pod: -pod.ready_at)[: max(0, len(staying) - wanted)]:
                pod.leaves = True
                if pod.job is not None and not policy.drains:
                    queue.appendleft(pod.job)
                    outcome.interrupted += 1
                    pod.job = None
        pods = [pod for pod in pods if not pod.leaves or pod.job is not None]
        for pod in pods:
            if pod.job is None and not pod.leaves and pod.ready_at <= now and queue:
                pod.job = queue.popleft()
                pod.done_at = now + pod.job.seconds
                outcome.began[pod.job] = now
        outcome.times.append(now)
        outcome.waiting.append(len(queue))
        outcome.running.append(sum(pod.job is not None for pod in pods))
        outcome.pods.append(len(pods))
        outcome.pod_seconds += len(pods) * step
        now += step
    return outcome
