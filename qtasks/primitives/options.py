"""What is said once for all runs of a primitive, and the job's document that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from qtasks.errors import InvalidInput

API_VERSION = "quantum.io/v1"
DEFAULT_PRECISION = 0.015625
"""Qiskit's own: the standard error of 4096 shots."""

_EXECUTION = {
    "optimization_level": "optimizationLevel",
    "priority": "priority",
    "seed_simulator": "seedSimulator",
    "seed_transpiler": "seedTranspiler",
    "initial_layout": "initialLayout",
    "memory_limit": "memoryLimit",
    "method": "method",
    "max_execution_time": "maxExecutionTime",
    "reuse": "reuse",
}
_SPEC = {
    "session": "session",
    "budget": "budget",
    "output": "output",
    "backend_selection": "backendSelection",
    "retry_policy": "retryPolicy",
    "timeouts": "timeouts",
}


@dataclass(kw_only=True)
class Options:
    """Options of `SamplerV2` and `EstimatorV2`; each may be changed between runs: `sampler.options.default_shots = 1`.

    None leaves a field to the default of `QiskitJob`.
    """

    default_shots: int = 1024
    """Shots of a sampler's PUB that names none, in a run that names none."""
    default_precision: float = DEFAULT_PRECISION
    """Target standard error of an estimator's PUB that names none, in a run that names none."""
    seed_simulator: int | None = None
    """With a seed, the same run gives the same counts again."""
    seed_transpiler: int | None = None
    optimization_level: int | None = None
    """0 to 3; circuits for a `QTasksBackend` are taken as compiled already, which is 0."""
    priority: str | None = None
    method: str | None = None
    """Aer's simulation method."""
    initial_layout: list[int] | None = None
    memory_limit: str | int | None = None
    max_execution_time: str | float | None = None
    reuse: str | None = None
    """`identical`: a stored result of the same circuits, values, options and seed answers."""
    name: str | None = None
    """Of the job; a second run that differs is refused (`JobExists`)."""
    namespace: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    session: Mapping[str, Any] | None = None
    """As `spec.session`: `{"name": "vqe"}`; so are those below."""
    budget: Mapping[str, Any] | None = None
    output: Mapping[str, Any] | None = None
    backend_selection: Mapping[str, Any] | None = None
    retry_policy: Mapping[str, Any] | None = None
    timeouts: Mapping[str, Any] | None = None

    def update(self, **values: Any) -> None:
        """Change several. Raises InvalidInput (`UnknownOption`) for one that there is not."""
        known = [each.name for each in fields(self)]
        for name in values:
            if name not in known:
                raise InvalidInput(
                    f"There is no option {name}.", reason="UnknownOption", hint=f"There are: {', '.join(known)}."
                )
        for name, value in values.items():
            setattr(self, name, value)


def document(
    program: str,
    circuit: Mapping[str, Any],
    options: Options,
    *,
    shots: int,
    backend: Mapping[str, Any] | None,
    annotations: Mapping[str, str],
) -> dict[str, Any]:
    """The QiskitJob of a run. `circuit` is `{format, code}`, `shots` those of its longest PUB, `backend` as
    `spec.backend`."""
    execution = {"shots": shots} | _given(options, _EXECUTION)
    spec: dict[str, Any] = {
        "program": program,
        "circuit": {"source": "inline", **circuit},
        "execution": execution,
        **_given(options, _SPEC),
    }
    if backend is not None:
        spec["backend"] = dict(backend)
    metadata: dict[str, Any] = {name: value for name, value in (("name", options.name),) if value is not None}
    if options.labels:
        metadata["labels"] = dict(options.labels)
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": API_VERSION, "kind": "QiskitJob", "metadata": metadata, "spec": spec}


def _given(options: Options, names: Mapping[str, str]) -> dict[str, Any]:
    values = {written: getattr(options, name) for name, written in names.items()}
    return {written: value for written, value in values.items() if value is not None}
