"""The command line: record a load, or draw what policies make of one."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench.autoscaling.drawing import draw, said
from bench.autoscaling.policy import Policy, queued_and_running, queued_only
from bench.autoscaling.recording import Recording, record
from bench.autoscaling.simulation import simulate
from bench.system import Options, System

START_SECONDS = 60.0
"""From asking for a pod until its worker takes jobs: a node is often there, and an image is not."""
STRETCH = 20.0
"""How much slower the recorded load is played: its longest runs, of half a minute, are ten minutes then."""
_TIMES = {"every": 15.0, "stabilise": 300.0, "cooldown": 300.0}
"""Those of k8s/components/keda."""
POLICIES = (
    Policy("queued + running, pods drain (k8s/components/keda)", queued_and_running, most=8, **_TIMES),
    Policy("queued + running, pods are killed", queued_and_running, most=8, drains=False, **_TIMES),
    Policy("length of the list, pods are killed", queued_only, most=8, drains=False, **_TIMES),
)


def main() -> int:
    """Do what is asked; 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.autoscaling", description=__doc__)
    parser.add_argument("what", choices=("record", "draw"))
    parser.add_argument("recording", type=Path, metavar="RECORDING", help="a JSON file")
    parser.add_argument("picture", type=Path, nargs="?", metavar="PICTURE", help="with draw: an SVG or PNG file")
    given = parser.parse_args()
    if given.what == "record":
        with (
            tempfile.TemporaryDirectory(prefix="qtasks-bench-") as scratch,
            System(Path(scratch), Options(quick=False, cpu=False, rounds=1)) as system,
        ):
            record(system).write(given.recording)
        return 0
    recording = Recording.read(given.recording)
    load = [job.slower(STRETCH) for job in recording.arrivals]
    outcomes = [simulate(load, policy, start_seconds=START_SECONDS) for policy in POLICIES]
    for outcome in outcomes:
        sys.stdout.write(f"{outcome.policy}: {said(outcome, len(recording.arrivals))}\n")
    if given.picture is not None:
        draw(recording, outcomes, given.picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
