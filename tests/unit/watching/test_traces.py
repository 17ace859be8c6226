"""Which trace a job has: known to everybody from its id, and fair to samplers."""

from __future__ import annotations

import sys
from collections import Counter

from qtasks.store.ids import new_id
from qtasks.telemetry import traces


def test_a_trace_is_the_jobs_id_but_for_one_digit() -> None:
    for _ in range(50):
        job_id = new_id()
        plain, trace = job_id.replace("-", ""), traces.trace_id(job_id)
        assert (trace[:16], trace[17:]) == (plain[:16], plain[17:])
        assert traces.trace_id(job_id.upper()) == trace


def test_a_sampler_that_keeps_a_quarter_keeps_a_quarter() -> None:
    # What OpenTelemetry's TraceIdRatioBased compares: the lower 64 bits.
    lower = [int(traces.trace_id(new_id())[16:], 16) for _ in range(4000)]
    quarters = Counter(number >> 62 for number in lower)
    assert all(850 < quarters[quarter] < 1150 for quarter in range(4))


def test_no_two_jobs_share_a_trace_or_a_root() -> None:
    ids = [new_id() for _ in range(1000)]
    assert len({traces.trace_id(each) for each in ids}) == len({traces.root_id(each) for each in ids}) == 1000


def test_nothing_is_traced_unless_that_was_asked() -> None:
    traces.start("test")
    assert not traces.on() and traces.headers() == {}
    with traces.span("nothing", [new_id()]), traces.asked_by("00-a-b-01", "1"):
        traces.failed(new_id(), "Reason", "message")
        traces.submitted({new_id(): {}}, since=traces.now())
        traces.noted("nothing", {new_id(): {}}, since=traces.now())
    assert "qtasks.telemetry.spans" not in sys.modules
