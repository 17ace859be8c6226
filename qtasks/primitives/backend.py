"""`QTasksBackend`: the queue as a Qiskit backend, for code that wants one."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from qiskit import QuantumCircuit
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.providers import BackendV2
from qiskit.providers import Options as QiskitOptions

from qtasks.circuits.pubs.container import MAX_CIRCUITS
from qtasks.client import Client
from qtasks.errors import InvalidInput
from qtasks.primitives.backend_job import QTasksJob
from qtasks.primitives.clients import default_client
from qtasks.primitives.container import sampler_payload
from qtasks.primitives.options import Options
from qtasks.primitives.submitting import submit
from qtasks.primitives.targets import target_for
from qtasks.resources import QiskitJob

if TYPE_CHECKING:
    from qiskit.transpiler import Target

_OF_QISKIT = {"shots": 1024, "memory": False, "meas_level": 2, "meas_return": "single"}
_OWN = tuple(each.name for each in fields(Options) if not each.name.startswith("default_"))


class QTasksBackend(BackendV2):  # type: ignore[misc]  # Qiskit has no types
    """Where jobs run, as a backend: `transpile(circuit, backend)`, `backend.run(circuits)`, `BackendSamplerV2(
    backend=…)`, `qiskit_ibm_runtime.SamplerV2(mode=…)`.

        backend = QTasksBackend({"type": "ibm_simulator", "name": "ibm_brisbane"})
        result = backend.run(transpile(circuit, backend), shots=1000).result()

    `run` takes circuits as they are, as any backend does: they are not laid out anew, and are only translated where
    the device lacks a gate. Each call is one durable job, of at most `max_circuits` circuits.
    """

    def __init__(
        self, backend: str | Mapping[str, Any] = "local_simulator", *, client: Client | None = None, **options: Any
    ) -> None:
        """`backend` is a type, or as `spec.backend` is; `options` are defaults of `run`. Raises InvalidInput, and
        AttributeError for an option that there is not."""
        self.where: dict[str, Any] = {"type": backend} if isinstance(backend, str) else dict(backend)
        QiskitJob(metadata={}, spec={"circuit": {"source": "inline", "code": "…"}, "backend": self.where})
        self._given_client = client
        kind = str(self.where.get("type", "local_simulator"))
        super().__init__(
            name=str(self.where.get("name") or kind), description=f"{kind}, through the qtasks queue", **options
        )

    def __repr__(self) -> str:
        return f"<QTasksBackend {self.name}>"

    def __deepcopy__(self, _memo: object) -> Self:
        return self  # a copy is the same way to the same queue; qiskit-ibm-runtime copies its options, backend included

    @cached_property
    def client(self) -> Client:
        """The client given, or the process's own."""
        return self._given_client or default_client()

    @cached_property
    def target(self) -> Target:
        """What circuits are compiled for: see `target_for`."""
        return target_for(self.where, lambda: self.client, method=self.options.get("method"))

    @property
    def max_circuits(self) -> int:
        return MAX_CIRCUITS

    @property
    def simulator(self) -> bool:
        """Whether jobs run on Aer without a device's restrictions."""
        return str(self.where.get("type", "local_simulator")) == "local_simulator"

    @classmethod
    def _default_options(cls) -> Any:
        return QiskitOptions(**_OF_QISKIT, **dict.fromkeys(_OWN))

    def run(self, run_input: QuantumCircuit | Sequence[QuantumCircuit], **options: Any) -> QTasksJob:
        """Submit one circuit or a list of them as one job.

        `options`: `shots`, `seed_simulator`, `memory` (the outcomes shot by shot, sorted: their order is not kept), and
        the other fields of `qtasks.primitives.options.Options`; what is not given is as in `backend.options`. An option
        that there is not has no effect, and a warning says so. Raises InvalidInput (`NoCircuits`,
        `MeasurementLevelUnsupported`) and what `Client.submit` raises.
        """
        circuits = [run_input] if isinstance(run_input, QuantumCircuit) else list(run_input)
        if not circuits:
            raise InvalidInput("There is no circuit to run.", reason="NoCircuits", hint="Give at least one.")
        told = self._told(options)
        if told["meas_level"] not in (2, None):
            raise InvalidInput(
                f"Measurement level {told['meas_level']} is not kept: counts are of classified outcomes.",
                reason="MeasurementLevelUnsupported",
                hint="Use meas_level=2.",
            )
        pubs = [SamplerPub.coerce((circuit, None, told["shots"])) for circuit in circuits]
        said = Options(**{name: told[name] for name in _OWN if told[name] is not None})
        payload = sampler_payload(pubs)
        job = submit(self.client, "sampler", payload, self.compiled(said), self.where, named=True)
        return QTasksJob(self, job, payload.circuits, memory=bool(told["memory"]))

    def retrieve_job(self, job_id: str, *, memory: bool = False) -> QTasksJob:
        """A run of before, from whichever process. Raises NotFound (`JobNotFound`)."""
        return QTasksJob(self, self.client.job(job_id), None, memory=memory)

    @staticmethod
    def compiled(options: Options) -> Options:
        """The options of circuits that are compiled already."""
        return options if options.optimization_level is not None else replace(options, optimization_level=0)

    def _told(self, options: Mapping[str, Any]) -> dict[str, Any]:
        known = dict(self.options.items())
        for name in options.keys() - known.keys():
            warnings.warn(f"{self.name} has no option {name}; it has no effect.", UserWarning, stacklevel=3)
        return known | {name: value for name, value in options.items() if name in known and value is not None}
