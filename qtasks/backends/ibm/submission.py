"""What is posted to make a job: the executor program, as the library's client-side sampler writes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qtasks.backends.ibm.pages import TAG
from qtasks.backends.protocol import Compiled, Order
from qtasks.circuits.formats import load_all

NOTE = "qtasks"
"""Key of the circuit's metadata under which a result finds the classical memory that it belongs to."""
_TAGS, _TAG_CHARACTERS = 8, 86
"""The most tags, and characters in one, that IBM is known to take."""


def program(order: Order) -> tuple[str, dict[str, Any]]:
    """The program's id and its parameters as plain JSON.

    This is what `executor_sampler.Sampler.run` posts; the sampler itself asks three more things of IBM at each run.
    """
    from qiskit_ibm_runtime.executor import Executor
    from qiskit_ibm_runtime.executor_sampler.prepare import prepare
    from qiskit_ibm_runtime.options_models import SamplerOptions
    from qiskit_ibm_runtime.quantum_program.params_converters import QUANTUM_PROGRAM_PARAMS_CONVERTERS

    circuits = load_all(order.compiled.data)
    if len(circuits) == 1:
        circuits[0].metadata = {NOTE: memory(order.compiled, circuits[0], order.shots)}
    written, options = prepare(circuits, SamplerOptions(), order.shots)
    written._semantic_role = "sampler_v2"
    converter = QUANTUM_PROGRAM_PARAMS_CONVERTERS[Executor._SCHEMA_VERSION]
    return Executor._PROGRAM_ID, converter.encoder(written, options).model_dump(mode="json")


def memory(compiled: Compiled, circuit: Any, shots: int) -> dict[str, Any]:
    """The circuit's classical memory, for `decoding.outcome`: it travels with the job and comes back in its result. Of
    several circuits it is in the metadata of each from the time that they are compiled."""
    places = {register.name: [circuit.find_bit(bit).index for bit in register] for register in circuit.cregs}
    return {
        "registers": [list(register) for register in compiled.registers],
        "num_clbits": compiled.num_clbits,
        "clbits": None if compiled.clbits is None else [list(bits) for bits in compiled.clbits],
        "places": places,
        "shots": shots,
    }


def tags(tag: str, labels: Sequence[str]) -> list[str]:
    """The job's tags: the unique one, ours, and the labels that IBM takes beside them."""
    short = [label for label in labels if 0 < len(label) <= _TAG_CHARACTERS]
    return list(dict.fromkeys((tag, TAG, *short)))[:_TAGS]


def arguments(order: Order, program_id: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `RuntimeClient.program_run`."""
    return {
        "program_id": program_id,
        "backend_name": order.compiled.device,
        "params": params,
        "image": None,
        "log_level": "WARNING",
        "session_id": order.session,
        "job_tags": tags(order.tag, order.labels),
        "max_execution_time": order.max_execution_seconds,
    }
