"""What was recorded, and what each policy would have made of it, one under the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.autoscaling.recording import Recording
from bench.autoscaling.simulation import Outcome

_WAITS, _RUNS, _PODS = "#c8553d", "#1b6ca8", "#3c8d40"


def draw(recording: Recording, outcomes: Sequence[Outcome], path: Path) -> None:
    """Write the picture, in the format of its name."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "qtasks"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(outcomes) + 1, 1, figsize=(9, 2.1 * (len(outcomes) + 1)))
    times = [sample.at for sample in recording.samples]
    first = axes[0]
    first.step(times, [sample.waiting for sample in recording.samples], color=_WAITS, label="jobs that wait")
    first.step(times, [sample.running for sample in recording.samples], color=_RUNS, label="jobs that run")
    first.set_title(f"recorded: {recording.queue}, {recording.workers} workers, as /metrics said", loc="left", size=10)
    first.legend(loc="upper right", frameon=False, fontsize=8)
    for axis, outcome in zip(axes[1:], outcomes, strict=True):
        minutes = [second / 60 for second in outcome.times]
        axis.step(minutes, outcome.waiting, color=_WAITS)
        axis.step(minutes, outcome.running, color=_RUNS)
        axis.step(minutes, outcome.pods, color=_PODS, linestyle="--", label="pods")
        axis.set_title(f"{outcome.policy}: {said(outcome, len(recording.arrivals))}", loc="left", size=10)
        axis.legend(loc="upper right", frameon=False, fontsize=8)
    first.set_xlabel("seconds")
    axes[-1].set_xlabel("minutes, the load played slower")
    longest = max(outcome.times[-1] for outcome in outcomes) / 60
    for axis in axes[1:]:
        axis.set_xlim(0, longest)
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_ylim(bottom=0)
    first.set_xlim(0, max(times))
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def said(outcome: Outcome, jobs: int) -> str:
    """One line about an outcome."""
    waits = f"wait p50 {outcome.wait(0.5) / 60:.1f} min, p95 {outcome.wait(0.95) / 60:.1f}"
    left = "" if outcome.completed == jobs else f", {jobs - outcome.completed} never end"
    return f"{waits}; {outcome.pod_seconds / 60:.0f} pod-minutes; {outcome.interrupted} runs interrupted{left}"
