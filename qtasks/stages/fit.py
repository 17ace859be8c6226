"""Whether a checked circuit can run where its job wants to run it, and how large it is there."""

from __future__ import annotations

from qtasks.backends.compatibility import local_simulator, problems
from qtasks.backends.sizing import Size, size
from qtasks.circuits.analysis import Analysis
from qtasks.errors import InvalidInput
from qtasks.stages.batch import Item


def fit(item: Item, analysis: Analysis) -> Size:
    """The size of a job; raises InvalidInput where no worker could ever run it as it asks."""
    execution = item.spec.execution
    found = size(analysis, method=execution.method.value, shots=execution.shots)
    if found.memory is None:
        raise InvalidInput(
            f"Aer's {found.method} method cannot run this circuit.",
            reason="MethodCannotRun",
            hint="Use execution.method: automatic.",
        )
    layout = execution.initial_layout
    if layout is not None and len(layout) != analysis.qubits:
        raise InvalidInput(
            f"execution.initialLayout names {len(layout)} qubits, but the circuit has {analysis.qubits}.",
            reason="InvalidLayout",
            hint="Give one physical qubit for each qubit of the circuit, in order.",
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


def readable(count: int) -> str:
    """A number of bytes as people write it: `16.0 TiB`."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"):
        if value < 1024 or unit == "EiB":
            return f"{value:.0f} {unit}" if unit in ("B", "KiB", "MiB") else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("unreachable: the last unit takes everything")
