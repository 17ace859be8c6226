"""Running what the client posts, on Aer, and writing the result as IBM does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any


class Refused(Exception):
    """The program is not one that a device takes."""


def run(payload: Mapping[str, Any], *, qubits: int, seed: int | None = None) -> tuple[str, float]:
    """The result of a posted program as JSON, and the quantum seconds that it took: 1, and 1 for 4,096 shots of a
    circuit. The i-th circuit is seeded with `seed` + i."""
    from ibm_quantum_schemas.executor.version_2_0 import QuantumProgramResultModel

    program = decode(payload)
    started = datetime.now(UTC)
    seeds = [None if seed is None else seed + number for number in range(len(program.items))]
    data = [
        {"results": _sampled(item.circuit, program.shots, qubits, own), "metadata": {}}
        for item, own in zip(program.items, seeds, strict=True)
    ]
    model = QuantumProgramResultModel(
        data=data,
        metadata={"chunk_timing": [_span(started, len(program.items))]},
        passthrough_data=program.passthrough_data,
        semantic_role=program._semantic_role,
    )
    return model.model_dump_json(), 1.0 + len(program.items) * program.shots / 4096


def decode(payload: Mapping[str, Any]) -> Any:
    """The quantum program in what the client posted, by the library's own models."""
    from qiskit_ibm_runtime.quantum_program.params_converters import QUANTUM_PROGRAM_PARAMS_CONVERTERS

    if payload.get("program_id") != "executor":
        raise Refused(f"the program {payload.get('program_id')!r} is not served here")
    params = payload["params"]
    converter = QUANTUM_PROGRAM_PARAMS_CONVERTERS[params["schema_version"]]
    program, _ = converter.decoder(converter.model.model_validate(params))
    return program


@lru_cache(maxsize=1)
def _aer() -> Any:
    from qiskit_aer import AerSimulator

    simulator = AerSimulator()
    simulator.set_option("n_qubits", 10_000)  # idle qubits cost nothing
    return simulator


def _sampled(circuit: Any, shots: int, qubits: int, seed: int | None) -> dict[str, Any]:
    """For each register its bits, shots × size, bit 0 first."""
    import numpy as np
    from ibm_quantum_schemas.common import CompressedTensorModel

    if circuit.num_qubits > qubits:
        raise Refused(f"the circuit has {circuit.num_qubits} qubits and the device {qubits}")
    result = _aer().run(circuit, shots=shots, seed_simulator=seed, memory=True).result()
    if not result.success:
        raise Refused(result.status)
    width = (circuit.num_clbits + 7) // 8
    raw = b"".join(int(outcome, 16).to_bytes(width, "little") for outcome in result.results[0].data.memory)
    bits = np.unpackbits(np.frombuffer(raw, np.uint8).reshape(shots, width), axis=1, bitorder="little").astype(bool)
    places = {register.name: [circuit.find_bit(bit).index for bit in register] for register in circuit.cregs}
    return {name: CompressedTensorModel.from_numpy(bits[:, place]) for name, place in places.items()}


def _span(started: datetime, items: int) -> dict[str, Any]:
    parts = [{"idx_item": item, "size": 1, "permutation": [], "element_range": (0, 1, 1)} for item in range(items)]
    return {"start": started.replace(tzinfo=None), "stop": datetime.now(UTC).replace(tzinfo=None), "parts": parts}
