"""The command line: run the benchmarks that are named, or all, and show and write what they gave."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from bench import api, footprint, history, large, latency, polling, report, submit, submit_many, validation
from bench.figures import Figure
from bench.system import Options, System

BENCHMARKS = {
    "submit": submit.run,
    "submit_many": submit_many.run,
    "latency": latency.run,
    "large": large.run,
    "history": history.run,
    "validation": validation.run,
    "polling": polling.run,
    "api": api.run,
    "footprint": footprint.run,
}


def main() -> int:
    """Run the benchmarks; 0 when every target was met."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)} (all)")
    parser.add_argument("--quick", action="store_true", help="smaller rounds, and fewer")
    parser.add_argument("--cpu", action="store_true", help="show the CPU time per job of each group of processes")
    parser.add_argument("--rounds", type=int, default=0, help="rounds of each side (5, quick 3)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the report as Markdown")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep data and logs of the servers here")
    given = parser.parse_args()
    for name in given.names:
        if name not in BENCHMARKS:
            parser.error(f"there is no benchmark {name}; there are {', '.join(BENCHMARKS)}")
    options = Options(quick=given.quick, cpu=given.cpu, rounds=given.rounds or (3 if given.quick else 5))
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="qtasks-bench-") as scratch:
        folder = given.keep.absolute() if given.keep else Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        with System(folder, options) as system:
            for name in given.names or BENCHMARKS:
                started = time.monotonic()
                report.progress(f"{name} …")
                figures += BENCHMARKS[name](system)
                report.progress(f"{name}: {time.monotonic() - started:.0f} s")
    report.show(figures)
    if given.write:
        given.write.write_text(report.markdown(figures, quick=given.quick))
    return 0 if all(figure.met in (True, None) for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
