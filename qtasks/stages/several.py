"""Jobs of several circuits at execution: a program for each run, and PUB results from what came of all of them."""

from __future__ import annotations

import math
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from qtasks.backends.protocol import BackendError, Program, Ran
from qtasks.backends.sizing import Size, noisy_size, size
from qtasks.circuits.pubs import shapes
from qtasks.circuits.pubs.expectation import expectations
from qtasks.circuits.pubs.prepared import Prepared, PreparedPub
from qtasks.resources import BackendType
from qtasks.results import EstimatorPubResult, PubResult, SamplerPubResult
from qtasks.stages.batch import Item, prepared_of
from qtasks.stages.fit import memory_limit, most_threads
from qtasks.stages.worker import Worker

SEED_STEP = 2113
"""What the seed of a run is larger by than that of the run before it, as within a call of Aer."""
_SEEDS = 2**63
_TOGETHER = 500
"""Runs that are compiled and simulated in one go: what is compiled lies in memory."""


class Counted(Protocol):
    """What a run gave, wherever it ran."""

    @property
    def counts(self) -> Mapping[str, int]: ...
    @property
    def registers(self) -> Sequence[tuple[str, int]]: ...
    @property
    def num_clbits(self) -> int: ...
    @property
    def clbits(self) -> Sequence[Sequence[int]] | None: ...


def programs(worker: Worker, item: Item, *, device: str) -> list[Program]:
    """The runs of a job in their order, without seeds of a simulator."""
    execution, prepared = item.spec.execution, prepared_of(item, worker.objects)
    return [
        Program(
            job_id=item.job.id,
            qpy=prepared.circuits[run.circuit],
            shots=run.shots,
            method=execution.method.value,
            optimization_level=execution.optimization_level,
            initial_layout=execution.initial_layout,
            seed_transpiler=execution.seed_transpiler,
            memory_limit=memory_limit(item.spec) or worker.identity.memory,
            most_threads=most_threads(item.spec),
            device=device,
        )
        for run in prepared.runs()
    ]


def simulate(worker: Worker, item: Item) -> Ran | BackendError:
    """Run all circuits of a job on its simulator: what came of each, and of all together.

    The i-th run has the job's seed plus 2113·i, and so has the same counts in whatever call it is. A job without a seed
    is given one. An error is that of the first run that failed.
    """
    prepared = prepared_of(item, worker.objects)
    sizes = _sizes(item, prepared)
    parallel = any(size.parallel for size in sizes)
    seed = item.spec.execution.seed_simulator
    if seed is None:
        seed = secrets.randbelow(2**31 - SEED_STEP * len(sizes))
    asked = [
        replace(
            program,
            compiled_for=size.compiled_for,
            parallel=parallel,
            seed_simulator=(seed + SEED_STEP * number) % _SEEDS,
        )
        for number, (program, size) in enumerate(
            zip(programs(worker, item, device=item.device or ""), sizes, strict=True)
        )
    ]
    backend = worker.local(item.simulator)
    found: list[Ran] = []
    for start in range(0, len(asked), _TOGETHER):
        for outcome in backend.run(asked[start : start + _TOGETHER]):
            if isinstance(outcome, BackendError):
                return _of_run(outcome, len(found), len(asked))
            found.append(outcome)
    return _together(found)


def _sizes(item: Item, prepared: Prepared) -> list[Size]:
    """The size of each run; those of circuits that are alike are worked out once."""
    sized = size if item.simulator is BackendType.LOCAL_SIMULATOR else noisy_size
    known: dict[tuple[int, int], Size] = {}
    found = []
    for run in prepared.runs():
        kind = prepared.kinds[run.circuit], run.shots
        if kind not in known:
            method = item.spec.execution.method.value
            known[kind] = sized(prepared.analysis(run), method=method, shots=run.shots)
        found.append(known[kind])
    return found


def _of_run(error: BackendError, number: int, runs: int) -> BackendError:
    message = f"Run {number} of {runs} (they count from 0): {error.message}"
    return BackendError(message, reason=error.reason, hint=error.hint, details=error.details, heals=error.heals)


def _together(found: Sequence[Ran]) -> Ran:
    gates: Counter[str] = Counter()
    for ran in found:
        gates.update(ran.gates)
    return replace(
        found[0],
        method=", ".join(dict.fromkeys(ran.method for ran in found)),
        depth=max(ran.depth for ran in found),
        gates=dict(gates),
        two_qubit_gates=sum(ran.two_qubit_gates for ran in found),
        transpile_seconds=sum(ran.transpile_seconds for ran in found),
        run_seconds=sum(ran.run_seconds for ran in found),
        threads=max(ran.threads for ran in found),
        runs=tuple(found),
    )


def pubs_of(
    prepared: Prepared, outcomes: Sequence[Counted], metadata: Mapping[str, Any] | None = None
) -> list[PubResult]:
    """The results of a job's PUBs. `outcomes`: of all its runs in their order; `metadata`: what is said of each PUB."""
    found: list[PubResult] = []
    start = 0
    for pub in prepared.pubs:
        stop = start + sum(map(len, pub.points))
        found.append(_pub(pub, outcomes[start:stop], metadata or {}))
        start = stop
    return found


def _pub(pub: PreparedPub, outcomes: Sequence[Counted], metadata: Mapping[str, Any]) -> PubResult:
    if pub.observables is not None:
        evs, stds = expectations(pub, [outcome.counts for outcome in outcomes])
        whole = shapes.broadcast(pub.shape, pub.observables.shape) or ()
        precision = pub.precision if pub.precision is not None else 1 / math.sqrt(pub.shots)
        about = {**metadata, "shots": pub.shots, "target_precision": precision}
        return EstimatorPubResult(shapes.nested(evs, whole), shapes.nested(stds, whole), about)
    first = outcomes[0]
    result = SamplerPubResult(
        first.registers, first.num_clbits, pub.shots, first.counts, first.clbits, dict(metadata), pub.shape
    )
    return replace(result, counts={}, points=tuple(each.counts for each in outcomes)) if pub.shape else result
