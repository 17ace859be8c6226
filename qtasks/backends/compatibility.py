"""Whether a backend can run a circuit: what it is able to do, and every reason why it cannot. Pure.

Nothing is translated here: gates with a definition can be compiled for any universal basis. What counts is what no
compiler makes up: qubits, shots, memory, control flow, classical computing, resets, and instructions without a
definition.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qtasks.circuits.analysis import Analysis, automatic_method
from qtasks.circuits.gates import CHANNELS

if TYPE_CHECKING:
    from qiskit.providers import BackendV2

_ALL_CONTROL_FLOW = frozenset(("if_else", "while_loop", "for_loop", "switch_case", "break_loop", "continue_loop"))
_BLOCKS = frozenset(("box",))


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend is able to do. None: no limit that is known."""

    name: str
    qubits: int | None = None
    basis_gates: frozenset[str] | None = None
    """Names of its own gates; None: any."""
    instructions: frozenset[str] = frozenset()
    """Instructions without a definition that it knows by name nevertheless."""
    control_flow: frozenset[str] = frozenset()
    """Control-flow operations that it runs, by Qiskit's names."""
    dynamic_circuits: bool = False
    """Results of measurements may decide what runs next."""
    not_classical: frozenset[str] | None = None
    """Features of `circuits.classical` that it does not have; None: it has none of them."""
    resets: bool = True
    max_shots: int | None = None
    max_experiments: int | None = None
    """Circuits in one call of Qiskit's `backend.run`."""
    shots_alike: bool = False
    """All circuits of a job are run for the same number of shots."""
    memory: int | None = None
    """Bytes that a simulation may take."""
    needs_measurement: bool = True


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a backend cannot run a circuit: a CamelCase reason, a sentence, and what to do."""

    reason: str
    message: str
    hint: str = ""


# Measured on Aer 0.18.2. It aborts its process on several threads (`variable`), inverts the condition (`cast_to_bool`),
# reads wrong values (`wide_register`), loses instructions or never ends (`no_qubits`), or refuses the rest.
_NO_OPERATORS = frozenset(("add", "sub", "mul", "div", "shift_left", "shift_right", "index", "negate"))
_NO_TYPES = frozenset(("variable", "stretch", "float", "duration", "cast_to_bool", "wide_register"))
_NO_FORMS = frozenset(("switch_expression", "repeated_index", "no_qubits"))
_NOT_ON_AER = _NO_OPERATORS | _NO_TYPES | _NO_FORMS
_AER = Capabilities(
    "local_simulator",
    instructions=CHANNELS,
    control_flow=_ALL_CONTROL_FLOW,
    dynamic_circuits=True,
    not_classical=_NOT_ON_AER,
)
_AER_METHODS = {
    "statevector": replace(_AER, instructions=frozenset(("kraus",))),
    "density_matrix": replace(_AER, not_classical=_NOT_ON_AER | {"store"}),
    "stabilizer": replace(_AER, qubits=10_000, instructions=frozenset()),
    "matrix_product_state": replace(_AER, instructions=frozenset(("kraus",))),
    "extended_stabilizer": replace(
        _AER, qubits=63, instructions=frozenset(), control_flow=frozenset(), dynamic_circuits=False
    ),
}


def local_simulator(method: str = "automatic", *, memory: int | None = None) -> Capabilities:
    """Aer 0.18 with `method` (its own name, or `automatic`), where a simulation may take `memory` bytes."""
    return replace(_AER_METHODS.get(method, _AER), memory=memory)


def of_backend(backend: BackendV2, *, max_shots: int | None = None) -> Capabilities:
    """What a Qiskit backend says of itself in its target. A target knows no limit of shots: it is given.

    Conditions on expressions and runtime variables are taken for possible where control flow is.
    """
    target = backend.target
    names = frozenset(target.operation_names)
    control_flow = names & (_ALL_CONTROL_FLOW | _BLOCKS)
    limit = max_shots
    if limit is None:
        limit = getattr(backend, "max_shots", None)
    return Capabilities(
        backend.name or type(backend).__name__,
        qubits=target.num_qubits,
        basis_gates=names - control_flow - {"measure", "reset", "delay", "barrier"},
        instructions=names,
        control_flow=control_flow,
        dynamic_circuits=not control_flow.isdisjoint(("if_else", "while_loop", "switch_case")),
        not_classical=frozenset(("stretch",)),
        resets="reset" in names,
        max_shots=limit,
        max_experiments=backend.max_circuits,
    )


def on_aer(device: Capabilities) -> Capabilities:
    """What Aer can do of what a device can: the capabilities of the device's noisy model."""
    return replace(
        device,
        control_flow=device.control_flow & _ALL_CONTROL_FLOW,
        not_classical=(device.not_classical or frozenset()) | _NOT_ON_AER | {"store"},
    )


def problems(analysis: Analysis, shots: int, capabilities: Capabilities, *, method: str = "automatic") -> list[Problem]:
    """Every reason why the backend cannot run `shots` runs of the analysed circuit; empty when it can.

    `method`: whose estimate of memory counts, where the backend has a limit (Aer's names).
    """
    found = [
        _qubits(analysis, capabilities),
        _instructions(analysis, capabilities),
        _resets(analysis, capabilities),
        _dynamic(analysis, capabilities),
        _control_flow(analysis, capabilities),
        *_classical(analysis, capabilities),
        _shots(shots, capabilities),
        _measured(analysis, capabilities),
        _memory(analysis, capabilities, method),
    ]
    return [problem for problem in found if problem is not None]


def together(runs: int, able: Capabilities, *, alike: bool) -> list[Problem]:
    """Every reason why the backend cannot run so many circuits as one job; `alike`: whether their shots are the same.

    Of the limits in `max_experiments` only that to one circuit is real: jobs of a primitive have no other.
    """
    found = []
    if runs > 1 and able.max_experiments == 1:
        message = f"{able.name} takes one circuit a task, and the job has {runs:,}."
        found.append(Problem("OneCircuitPerTask", message, "Submit each as a job of its own, or use another backend."))
    if able.shots_alike and not alike:
        message = f"{able.name} runs all circuits of a job for the same number of shots, and here they differ."
        found.append(
            Problem("ShotsDiffer", message, "Give all PUBs the same shots or precision, or submit them apart.")
        )
    return found


def _qubits(analysis: Analysis, able: Capabilities) -> Problem | None:
    if able.qubits is None or analysis.qubits <= able.qubits:
        return None
    return Problem(
        "TooManyQubits",
        f"The circuit has {analysis.qubits:,} qubits; {able.name} has {able.qubits:,}.",
        "Use fewer qubits, or a larger backend.",
    )


def _instructions(analysis: Analysis, able: Capabilities) -> Problem | None:
    unknown = set(analysis.opaque) - able.instructions - (able.basis_gates or frozenset())
    if not unknown:
        return None
    names = ", ".join(sorted(unknown))
    hint = "Give each a definition made of standard gates, or remove it."
    if any(name.startswith(("save_", "set_")) for name in unknown):
        hint = "Remove it: a job's result is the counts of its measurements."
    return Problem("UnsupportedInstruction", f"{able.name} does not know the instruction {names}.", hint)


def _resets(analysis: Analysis, able: Capabilities) -> Problem | None:
    if able.resets or not analysis.resets:
        return None
    where = "initializes" if "reset" not in analysis.gates else "resets"
    return Problem(
        "UnsupportedInstruction",
        f"The circuit {where} qubits while it runs; {able.name} cannot reset a qubit.",
        "Use fresh qubits, and qiskit.circuit.library.StatePreparation for initialize.",
    )


def _dynamic(analysis: Analysis, able: Capabilities) -> Problem | None:
    if able.dynamic_circuits or not analysis.dynamic:
        return None
    return Problem(
        "DynamicCircuitsUnsupported",
        f"Results of measurements decide what the circuit runs next; {able.name} cannot do that.",
        "Use a backend that runs dynamic circuits, or measure at the end only.",
    )


def _control_flow(analysis: Analysis, able: Capabilities) -> Problem | None:
    unknown = sorted(set(analysis.control_flow) - able.control_flow)
    if not unknown or (not able.dynamic_circuits and analysis.dynamic):
        return None
    return Problem(
        "UnsupportedControlFlow",
        f"The circuit uses {', '.join(unknown)}; {able.name} runs "
        f"{', '.join(sorted(able.control_flow)) or 'no control flow'}.",
        "Write it out with what the backend runs, or use another backend.",
    )


_WORDS = {
    "cast_to_bool": ("takes a number for a truth value", "Compare it: expr.not_equal(register, 0)."),
    "wide_register": ("reads a register of more than 31 bits in an expression", "Split the register."),
    "switch_expression": ("switches over an expression", "Switch over a bit or a register, or use if_test."),
    "repeated_index": ("has a for loop that meets one index twice", "Use range(n) for its indices."),
    "no_qubits": ("has a block of control flow that touches no qubit", "Put a barrier on a qubit into the block."),
    "store": ("stores into classical bits", "Use execution.method: automatic."),
    "stretch": ("has durations that are decided later (stretch)", "Give the delays fixed durations."),
}


def _classical(analysis: Analysis, able: Capabilities) -> list[Problem]:
    features = set(analysis.classical)
    missing = features if able.not_classical is None else features & able.not_classical
    if "variable" in missing:
        hint = "Use classical registers and bits: they can be measured into, compared and stored to."
        message = f"The circuit has runtime variables; {able.name} cannot compute with them."
        found = [Problem("RuntimeVariablesUnsupported", message, hint)]
    else:
        found = []
    for feature in sorted(missing - {"variable"}):
        what, hint = _WORDS.get(feature, (f"uses {feature} in an expression", "Compare registers and bits directly."))
        found.append(Problem("UnsupportedControlFlow", f"The circuit {what}; {able.name} cannot run that.", hint))
    return found


def _shots(shots: int, able: Capabilities) -> Problem | None:
    if able.max_shots is None or shots <= able.max_shots:
        return None
    return Problem(
        "TooManyShots",
        f"The job asks for {shots:,} shots; {able.name} takes {able.max_shots:,}.",
        "Lower execution.shots, or submit the job more than once.",
    )


def _measured(analysis: Analysis, able: Capabilities) -> Problem | None:
    if analysis.measurements or not able.needs_measurement:
        return None
    return Problem("NothingMeasured", "The circuit measures nothing.", "Add qc.measure_all().")


def _memory(analysis: Analysis, able: Capabilities, method: str) -> Problem | None:
    if able.memory is None:
        return None
    runs_as = automatic_method(analysis) if method == "automatic" else method
    need = analysis.memory.get(runs_as)
    if need is None:
        return Problem(
            "MethodCannotRun",
            f"Aer's {runs_as} method cannot run this circuit.",
            "Use execution.method: automatic.",
        )
    if need <= able.memory:
        return None
    return Problem(
        "InsufficientMemory",
        f"Simulating {analysis.active_qubits} qubits with Aer's {runs_as} method takes about {need:,} bytes; "
        f"{able.name} has {able.memory:,}.",
        "Use fewer qubits, or try execution.method: matrix_product_state.",
    )
