"""Whether a checked circuit can run where its job wants to run it, and how large it is there."""

from __future__ import annotations

from dataclasses import replace

from qtasks.backends.compatibility import local_simulator, problems
from qtasks.backends.sizing import Size, noisy_size, size
from qtasks.circuits.analysis import Analysis
from qtasks.circuits.pubs.prepared import Prepared
from qtasks.config import REMOTE
from qtasks.errors import InvalidInput
from qtasks.resources import BackendType, JobSpec
from qtasks.stages.batch import Item

_AT_A_PROVIDER = Size("", "", 0, small=False, parallel=False)
"""What a job takes here that runs elsewhere; what it takes there is for its device to say, when one is chosen."""
_MIB = 2**20
_COUNT_BYTES = 200
"""What one outcome and how often it came take, between Aer and the stored result."""


def fit(item: Item, analysis: Analysis) -> Size:
    """The size of a job of one circuit; raises InvalidInput where no worker could ever run it as it asks."""
    return _fit(item, analysis, item.spec.execution.shots)


def fit_all(item: Item, prepared: Prepared) -> Size:
    """The size of a job of several circuits: the memory of its largest, and of all counts, which are kept together. It
    is a job of its own, never batched. Raises InvalidInput as `fit` does, for the first circuit that does not fit."""
    sizes: dict[tuple[int, int], Size] = {}
    counts = 0
    for run in prepared.runs():
        kind = prepared.kinds[run.circuit], run.shots
        analysis = prepared.analysis(run)
        counts += min(run.shots, 2 ** min(analysis.clbits, 60))
        if kind not in sizes:
            try:
                sizes[kind] = _fit(item, analysis, run.shots)
            except InvalidInput as error:
                where = _where(prepared, run.circuit)
                raise InvalidInput(f"{where}: {error.message}", reason=error.reason, hint=error.hint) from None
    largest = max(sizes.values(), key=lambda size: size.memory or 0)
    if item.spec.backend.type in REMOTE:
        return largest
    memory = (largest.memory or 0) + -(-counts * _COUNT_BYTES // _MIB) * _MIB
    return replace(largest, memory=memory, small=False)


def _where(prepared: Prepared, circuit: int) -> str:
    """The first PUB and point that a circuit is of."""
    return next(
        f"pubs[{number}], point {place}"
        for number, pub in enumerate(prepared.pubs)
        for place, point in enumerate(pub.points)
        if any(run.circuit == circuit for run in point)
    )


def _fit(item: Item, analysis: Analysis, shots: int) -> Size:
    execution, backend = item.spec.execution, item.spec.backend.type
    _check_layout(item, analysis)
    if backend in REMOTE:
        return _AT_A_PROVIDER
    sized = size if backend is BackendType.LOCAL_SIMULATOR else noisy_size
    found = sized(analysis, method=execution.method.value, shots=shots)
    if found.memory is None:
        raise InvalidInput(
            f"Aer's {found.method} method cannot run this circuit.",
            reason="MethodCannotRun",
            hint="Use execution.method: automatic.",
        )
    limit = memory_limit(item.spec)
    if limit is not None and found.memory > limit:
        raise InvalidInput(
            f"Simulating {analysis.active_qubits} qubits with Aer's {found.method} method takes about "
            f"{readable(found.memory)}, more than {_said_of_memory(item)}.",
            reason="MemoryLimitExceeded",
            hint="Raise the limit, use fewer qubits, or try execution.method: matrix_product_state.",
        )
    method = execution.method.value
    if why := problems(analysis, shots, local_simulator(method), method=method):
        raise InvalidInput(
            " ".join(problem.message for problem in why),
            reason=why[0].reason,
            hint=" ".join(dict.fromkeys(problem.hint for problem in why)),
        )
    return found


def _check_layout(item: Item, analysis: Analysis) -> None:
    layout = item.spec.execution.initial_layout
    if layout is not None and len(layout) != analysis.qubits:
        raise InvalidInput(
            f"execution.initialLayout names {len(layout)} qubits, but the circuit has {analysis.qubits}.",
            reason="InvalidLayout",
            hint="Give one physical qubit for each qubit of the circuit, in order.",
        )


def memory_limit(spec: JobSpec) -> int | None:
    """Bytes that a simulation may take at most, if its job says so: the lower of the two places."""
    limits = (
        spec.execution.memory_limit.bytes if spec.execution.memory_limit is not None else None,
        spec.resources.most_memory if spec.resources is not None else None,
    )
    return min((limit for limit in limits if limit is not None), default=None)


def most_threads(spec: JobSpec) -> int:
    """Threads that a simulation may use at most: `resources.limits.cpu`, at least one; 0: as many as are free."""
    cores = spec.resources.most_cores if spec.resources is not None else None
    return 0 if cores is None else max(1, int(cores))


def _said_of_memory(item: Item) -> str:
    execution, resources = item.spec.execution.memory_limit, item.spec.resources
    if execution is not None and execution.bytes == memory_limit(item.spec):
        return f"execution.memoryLimit, {execution}"
    assert resources is not None and resources.limits is not None, "one of the two gave the limit"
    return f"resources.limits.memory, {resources.limits.memory}"


def readable(count: int) -> str:
    """A number of bytes as people write it: `16.0 TiB`."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"):
        if value < 1024 or unit == "EiB":
            return f"{value:.0f} {unit}" if unit in ("B", "KiB", "MiB") else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("unreachable: the last unit takes everything")
