"""Whether a checked circuit can run where its job wants to run it, and how large it is there."""

from __future__ import annotations

from qtasks.backends.compatibility import local_simulator, problems
from qtasks.backends.sizing import Size, noisy_size, size
from qtasks.circuits.analysis import Analysis
from qtasks.config import REMOTE
from qtasks.errors import InvalidInput
from qtasks.resources import BackendType
from qtasks.stages.batch import Item

_AT_A_PROVIDER = Size("", "", 0, small=False, parallel=False)
"""What a job takes here that runs elsewhere; what it takes there is for its device to say, when one is chosen."""


def fit(item: Item, analysis: Analysis) -> Size:
    """The size of a job; raises InvalidInput where no worker could ever run it as it asks."""
    execution, backend = item.spec.execution, item.spec.backend.type
    _check_layout(item, analysis)
    if backend in REMOTE:
        return _AT_A_PROVIDER
    sized = size if backend is BackendType.LOCAL_SIMULATOR else noisy_size
    found = sized(analysis, method=execution.method.value, shots=execution.shots)
    if found.memory is None:
        raise InvalidInput(
            f"Aer's {found.method} method cannot run this circuit.",
            reason="MethodCannotRun",
            hint="Use execution.method: automatic.",
        )
    limit = execution.memory_limit
    if limit is not None and found.memory > limit.bytes:
        raise InvalidInput(
            f"Simulating {analysis.active_qubits} qubits with Aer's {found.method} method takes about "
            f"{readable(found.memory)}, more than execution.memoryLimit, {limit}.",
            reason="MemoryLimitExceeded",
            hint="Raise the limit, use fewer qubits, or try execution.method: matrix_product_state.",
        )
    method = execution.method.value
    if why := problems(analysis, execution.shots, local_simulator(method), method=method):
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


def readable(count: int) -> str:
    """A number of bytes as people write it: `16.0 TiB`."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"):
        if value < 1024 or unit == "EiB":
            return f"{value:.0f} {unit}" if unit in ("B", "KiB", "MiB") else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("unreachable: the last unit takes everything")
