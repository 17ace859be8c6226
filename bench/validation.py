"""Validation: a source through the warm sandbox, its answer verified by a second child, beside `exec` in this process
(what nobody may do, and nothing can beat) and beside a new interpreter for each circuit."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from bench.figures import Figure, bounded, compared, percentile
from bench.system import System
from qtasks.circuits.sandbox import Checked, Sandbox, Source

BELL = b"""from qiskit import QuantumCircuit
qc = QuantumCircuit(2, 2)
qc.h(0)
qc.cx(0, 1)
qc.measure([0, 1], [0, 1])
"""
QFT = b"""from math import pi
from qiskit import QuantumCircuit
n = 20
qc = QuantumCircuit(n, n)
for i in reversed(range(n)):
    qc.h(i)
    for j in range(i):
        qc.cp(pi / 2 ** (i - j), j, i)
for i in range(n // 2):
    qc.swap(i, n - 1 - i)
qc.measure(range(n), range(n))
"""
_FRESH = """
import io, sys
names = {}
exec(sys.stdin.read(), names)
from qiskit import qpy
qpy.dump(names["qc"], io.BytesIO())
"""
_AT_ONCE = 4
_WARM_UP = 20
_PAUSE_SECONDS = 0.03
"""Between sources on an idle sandbox: time for it to have its spare children ready again."""


def run(system: System) -> list[Figure]:
    """Single sources on an idle sandbox, one after the other at once, four at a time; the warm process's memory."""
    count = 50 if system.options.quick else 300
    with Sandbox() as sandbox:
        _times(lambda: _check(sandbox, BELL), _WARM_UP)
        bell = _times(lambda: _check(sandbox, BELL), count, pause=_PAUSE_SECONDS)
        qft = _times(lambda: _check(sandbox, QFT), count, pause=_PAUSE_SECONDS)
        at_once = _times(lambda: _check(sandbox, BELL), count)
        memory = _resident(sandbox) / 2**20
        fresh = [(1 / _seconds(_interpreter), 1e3 / median(bell)) for _ in range(system.options.rounds)]
        sources = _throughput(sandbox, 200 if system.options.quick else 1000)
    return [
        bounded("validation", "Bell source, verified, p50", "ms", percentile(bell, 0.5), most=10, of=bell),
        bounded("validation", "Bell source, verified, p95", "ms", percentile(bell, 0.95), most=20, of=()),
        bounded("validation", "QFT-20 source, verified, p50", "ms", percentile(qft, 0.5), most=16, of=qft),
        bounded("validation", "QFT-20 source, verified, p95", "ms", percentile(qft, 0.95), most=None, of=()),
        bounded("validation", "Bell source, back to back, p50", "ms", percentile(at_once, 0.5), most=None, of=()),
        compared("validation", "Bell source, verified", "1/s", fresh, peer_is="a new interpreter each", least=30),
        _beside_exec("Bell source", BELL, bell),
        _beside_exec("QFT-20 source", QFT, qft),
        Figure("validation", f"Bell sources, verified, {_AT_ONCE} at a time", "1/s", sources),
        Figure("validation", "memory of the warm process", "MiB", memory),
    ]


def _check(sandbox: Sandbox, source: bytes) -> None:
    answer = sandbox.check([Source("it", "python", source)])[0]
    assert isinstance(answer, Checked) and answer.analysis.measurements, answer


def _times(what: Callable[[], None], count: int, *, pause: float = 0.0) -> list[float]:
    """Milliseconds of each of `count` calls."""
    taken = []
    for _ in range(count):
        taken.append(_seconds(what) * 1e3)
        time.sleep(pause)
    return taken


def _seconds(what: Callable[[], None]) -> float:
    started = time.perf_counter()
    what()
    return time.perf_counter() - started


def _interpreter() -> None:
    subprocess.run([sys.executable, "-I", "-c", _FRESH], input=BELL, check=True, timeout=60)


def _beside_exec(what: str, source: bytes, taken: list[float]) -> Figure:
    code = source.decode()
    alone = _times(lambda: exec(code, {}), len(taken))
    pairs = list(zip(alone, taken, strict=True))
    return compared("validation", f"{what}, verified", "ms", [_medians(pairs)], peer_is="exec in this process")


def _medians(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    alone, taken = zip(*pairs, strict=True)
    return median(alone), median(taken)


def _throughput(sandbox: Sandbox, count: int) -> float:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        seconds = _seconds(lambda: list(pool.map(lambda _: _check(sandbox, BELL), range(count))))
    return count / seconds


def _resident(sandbox: Sandbox) -> int:
    """Bytes of the warm process that are in memory, what it shares with its children included."""
    pid = sandbox._process.pid
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) * 1024
