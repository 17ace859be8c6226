"""The simulation of autoscaling: what makes a policy good is that jobs are neither kept waiting nor interrupted."""

from __future__ import annotations

from dataclasses import replace

from bench.autoscaling.policy import Autoscaler, Policy, queued_and_running, queued_only
from bench.autoscaling.simulation import Arrival, Outcome, simulate

WHOLE = Policy("queued + running", queued_and_running, most=8)
LIST = Policy("list length", queued_only, most=8)
BURST = [Arrival(number, 10.0, 200.0) for number in range(6)]


def run(policy: Policy, arrivals: list[Arrival] = BURST) -> Outcome:
    return simulate(arrivals, policy, start_seconds=20)


def test_every_job_runs_where_pods_end_theirs_before_they_go() -> None:
    for policy in (WHOLE, LIST, replace(WHOLE, drains=False), replace(WHOLE, most=1)):
        assert run(policy).completed == len(BURST)


def test_what_runs_counts_so_nothing_is_interrupted_while_jobs_are_alike() -> None:
    assert run(replace(WHOLE, drains=False)).interrupted == 0


def test_the_controller_may_take_the_pod_that_works_so_pods_must_drain() -> None:
    jobs = [Arrival(0, 0.0, 60.0), Arrival(1, 20.0, 900.0)]
    assert run(replace(WHOLE, drains=False), jobs).interrupted == 1
    drained = run(WHOLE, jobs)
    assert (drained.interrupted, drained.completed) == (0, 2)


def test_the_length_of_the_list_takes_pods_from_running_jobs() -> None:
    outcome = run(replace(LIST, drains=False))
    assert outcome.interrupted > len(BURST)
    assert outcome.completed < len(BURST), "a run is longer than a pod lives"
    assert run(LIST).interrupted == 0


def test_without_work_there_is_no_pod_and_with_it_as_many_as_jobs() -> None:
    outcome = run(WHOLE)
    assert outcome.pods[0] == 0
    assert max(outcome.pods) == 6
    assert outcome.pods[-1] == 0


def test_one_pod_has_jobs_one_after_the_other() -> None:
    outcome = run(replace(WHOLE, most=1))
    assert sorted(outcome.began.values()) == [35.0 + 200 * place for place in range(6)]


def test_a_short_lull_takes_no_pod_away() -> None:
    scaler = Autoscaler(WHOLE)
    assert scaler.replicas(0, 4, 0, 0) == 4
    assert scaler.replicas(15, 0, 1, 4) == 4
    assert scaler.replicas(90, 0, 1, 4) == 1


def test_the_last_pod_stays_until_the_cooldown_is_over() -> None:
    scaler = Autoscaler(WHOLE)
    assert scaler.replicas(0, 0, 1, 1) == 1
    assert scaler.replicas(100, 0, 0, 1) == 1
    assert scaler.replicas(300, 0, 0, 1) == 0
