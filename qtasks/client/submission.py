"""What a user hands over, as a submission: circuits in every form, resources, files."""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtasks.circuits.formats import PUBS, PYTHON, detect, dump
from qtasks.circuits.pubs import extent
from qtasks.circuits.pubs import parse as parse_pubs
from qtasks.errors import InvalidInput
from qtasks.resources import CircuitFormat, CircuitSource, Program, QiskitJob, Resource, load, parse
from qtasks.resources import dump as dump_resource
from qtasks.settings import Settings

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

Submittable = "QuantumCircuit | str | bytes | Path | QiskitJob | Mapping[str, Any]"
_RESOURCE_FILE = (".yaml", ".yml", ".json")
_CIRCUIT_FILE = (".qasm", ".qasm2", ".qasm3", ".qpy", ".py", ".inc")
_AUTOMATIC_NAME = re.compile(r"circuit-\d+(-\d+)?")


@dataclass(frozen=True, slots=True)
class Template:
    """A job but for its circuit; one for all circuits that are submitted under the same options."""

    job: QiskitJob
    resource: Mapping[str, Any]
    """The job as a document without code."""
    spec: bytes
    """Its spec as canonical JSON: what the spec's hash begins with."""

    @property
    def namespace(self) -> str | None:
        """The namespace that the job itself names; None where it leaves that to the client."""
        metadata = self.job.metadata
        return metadata.namespace if "namespace" in metadata.model_fields_set else None

    @classmethod
    def of(cls, job: QiskitJob) -> Template:
        resource = dump_resource(job)
        circuit = {name: value for name, value in resource["spec"]["circuit"].items() if name != "code"}
        resource = {**resource, "spec": {**resource["spec"], "circuit": circuit}}
        return cls(job, resource, json.dumps(resource["spec"], sort_keys=True).encode())


@dataclass(frozen=True, slots=True)
class Submission:
    """A job as its user means it: its options and its circuit, or where that will be fetched from (`data` None)."""

    template: Template
    format: str | None
    data: bytes | None
    git_commit: str | None = None
    """The commit of the folder that it was submitted from."""
    all_shots: int | None = None
    """Shots of all runs together, of a job of several circuits."""

    @property
    def shots(self) -> int:
        """How often circuits are run, all runs of the job counted."""
        return self.template.job.spec.execution.shots if self.all_shots is None else self.all_shots

    @property
    def batchable(self) -> bool:
        """Whether it may be validated together with others. Each Python source has a sandbox child of its own, so has
        a job of several circuits, and nobody waits for another's fetch; the rest share one."""
        return self.data is not None and self.format not in (PYTHON, PUBS)


def options_template(
    name: str | None,
    labels: Mapping[str, str] | None,
    backend: str | Mapping[str, Any] | None,
    execution: Mapping[str, Any],
) -> Template:
    """The options of a submission: a job whose circuit stands for nothing."""
    spec: dict[str, Any] = {
        "circuit": {"source": "inline", "code": "…"},
        "execution": {key: value for key, value in execution.items() if value is not None},
    }
    if backend is not None:
        spec["backend"] = {"type": backend} if isinstance(backend, str) else dict(backend)
    metadata: dict[str, Any] = {}
    if name is not None:
        metadata["name"] = name
    if labels:
        metadata["labels"] = dict(labels)
    return Template.of(QiskitJob(metadata=metadata, spec=spec))


def is_id(text: str) -> bool:
    """Whether a text has the form of a job's id."""
    try:
        return uuid.UUID(text).version == 7
    except ValueError:
        return False


def is_resource(what: Any) -> bool:
    """Whether `what` is a whole job rather than a circuit that still wants options."""
    if isinstance(what, (Resource, Mapping)):
        return True
    return isinstance(what, (str, Path)) and _one_line(what) and Path(str(what)).suffix in _RESOURCE_FILE


def jobs_of(what: Any) -> list[QiskitJob]:
    """The jobs in a resource, a document, or a file of documents; raises InvalidInput."""
    found: Sequence[Resource]
    if isinstance(what, Resource):
        found = [what]
    elif isinstance(what, Mapping):
        found = [parse(what)]
    else:
        found = load(Path(what))
    return [_require_job(resource) for resource in found]


def _require_job(resource: Resource) -> QiskitJob:
    if isinstance(resource, QiskitJob):
        return resource
    raise InvalidInput(
        f"{resource.kind} {resource.metadata.name or ''} is checked, but this version of qtasks does not keep it.",
        reason="KindNotServed",
    )


def read_circuit(circuit: Any) -> tuple[str, bytes]:
    """A circuit in any form that is taken, as (format, bytes); raises InvalidInput (`InvalidCircuit`).

    Text and bytes are OpenQASM 2 or 3, Python source or QPY, or a path to a file of one.
    """
    if isinstance(circuit, Path) or (isinstance(circuit, str) and _is_circuit_path(circuit)):
        path = Path(circuit)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InvalidInput(f"{path} cannot be read: {error.strerror}.", reason="FileNotReadable") from None
        return detect(data), data
    if isinstance(circuit, str):
        data = circuit.encode()
        return detect(data), data
    if isinstance(circuit, (bytes, bytearray, memoryview)):
        data = bytes(circuit)
        return detect(data), data
    if type(circuit).__module__.startswith("qiskit.") or hasattr(circuit, "clbits"):
        return "qpy", _dumped(circuit)
    raise InvalidInput(
        f"A {type(circuit).__name__} is not a circuit.",
        reason="InvalidCircuit",
        hint="Give a QuantumCircuit, OpenQASM 2 or 3 text, QPY bytes, Python source, or a path to a file of one.",
    )


def _dumped(circuit: QuantumCircuit) -> bytes:
    # Qiskit numbers unnamed circuits anew in every process; the same circuit is to give the same bytes.
    named = circuit.name
    if named and _AUTOMATIC_NAME.fullmatch(named):
        circuit.name = "circuit"
        try:
            return dump(circuit)
        finally:
            circuit.name = named
    return dump(circuit)


def _one_line(text: object) -> bool:
    return "\n" not in str(text) and len(str(text)) < 4096


def _is_circuit_path(text: str) -> bool:
    return _one_line(text) and Path(text).suffix in _CIRCUIT_FILE


def from_resource(job: QiskitJob, settings: Settings, git_commit: str | None = None) -> Submission:
    """A submission of a whole resource. Raises InvalidInput (`ObservablesMissing`, `InvalidCircuit`, `TooLarge`)."""
    circuit = job.spec.circuit
    if job.spec.program is Program.ESTIMATOR and circuit.format is not CircuitFormat.PUBS:
        raise InvalidInput(
            "An estimator needs observables, and a circuit alone has none.",
            reason="ObservablesMissing",
            hint="Use qtasks.primitives.EstimatorV2, or spec.circuit.format: pubs.",
        )
    declared = circuit.format.value if circuit.format is not None else None
    if circuit.source is not CircuitSource.INLINE:
        return Submission(Template.of(job), declared, None, git_commit)
    assert circuit.code is not None, "an inline source has code"
    if declared == PUBS:
        return _several(job, circuit.code.encode(), settings, git_commit)
    data = _decoded(circuit.code) if declared == "qpy" or circuit.code.startswith("UUlTS0lU") else circuit.code.encode()
    return _submission(Template.of(job), declared or detect(data), data, settings, git_commit)


def _several(job: QiskitJob, data: bytes, settings: Settings, git_commit: str | None) -> Submission:
    """A job of several circuits: what it runs in all is known, and counted, from the start."""
    _refuse_large(data, settings)
    found = extent(parse_pubs(data, program=job.spec.program.value, shots=job.spec.execution.shots))
    return Submission(Template.of(job), PUBS, data, git_commit, found.shots)


def from_circuit(circuit: Any, template: Template, settings: Settings, git_commit: str | None = None) -> Submission:
    """A submission of a circuit under the options of `template`."""
    fmt, data = read_circuit(circuit)
    return _submission(template, fmt, data, settings, git_commit)


def _submission(template: Template, fmt: str, data: bytes, settings: Settings, git_commit: str | None) -> Submission:
    _refuse_large(data, settings)
    return Submission(template, fmt, data, git_commit)


def _refuse_large(data: bytes, settings: Settings) -> None:
    if len(data) > settings.max_input_bytes:
        raise InvalidInput(
            f"The circuit has {len(data)} bytes; at most {settings.max_input_bytes} are taken.",
            reason="TooLarge",
            hint="Raise QTASKS_MAX_INPUT_BYTES, or submit the circuit as QPY.",
        )


def _decoded(code: str) -> bytes:
    try:
        return base64.b64decode("".join(code.split()), validate=True)
    except binascii.Error:
        raise InvalidInput(
            "spec.circuit.code is not base64.", reason="InvalidCircuit", hint="QPY goes into YAML as base64 text."
        ) from None
