"""From what a user hands over to the rows of a job: circuits in every form, resources, files."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtasks.circuits.formats import detect, dump
from qtasks.errors import InvalidInput
from qtasks.objects import keys
from qtasks.resources import CircuitSource, Program, QiskitJob, Resource, load, parse
from qtasks.resources import dump as dump_resource
from qtasks.settings import Settings
from qtasks.store.ids import new_id
from qtasks.store.jobs import NewJob

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


def from_resource(job: QiskitJob, settings: Settings) -> Submission:
    """A submission of a whole resource; raises InvalidInput for what this version does not run."""
    circuit = job.spec.circuit
    if job.spec.program is not Program.SAMPLER:
        raise InvalidInput(
            f"This version of qtasks runs the sampler only, not program: {job.spec.program.value}.",
            reason="ProgramUnsupported",
        )
    declared = circuit.format.value if circuit.format is not None else None
    if circuit.source is not CircuitSource.INLINE:
        return Submission(Template.of(job), declared, None)
    assert circuit.code is not None, "an inline source has code"
    data = _decoded(circuit.code) if declared == "qpy" or circuit.code.startswith("UUlTS0lU") else circuit.code.encode()
    return _submission(Template.of(job), declared or detect(data), data, settings)


def from_circuit(circuit: Any, template: Template, settings: Settings) -> Submission:
    """A submission of a circuit under the options of `template`."""
    fmt, data = read_circuit(circuit)
    return _submission(template, fmt, data, settings)


def _submission(template: Template, fmt: str, data: bytes, settings: Settings) -> Submission:
    if len(data) > settings.max_input_bytes:
        raise InvalidInput(
            f"The circuit has {len(data)} bytes; at most {settings.max_input_bytes} are taken.",
            reason="TooLarge",
            hint="Raise QTASKS_MAX_INPUT_BYTES, or submit the circuit as QPY.",
        )
    return Submission(template, fmt, data)


def _decoded(code: str) -> bytes:
    try:
        return base64.b64decode("".join(code.split()), validate=True)
    except binascii.Error:
        raise InvalidInput(
            "spec.circuit.code is not base64.", reason="InvalidCircuit", hint="QPY goes into YAML as base64 text."
        ) from None


def new_job(
    submission: Submission,
    *,
    namespace: str,
    idempotency_key: str | None,
    git_commit: str | None,
    settings: Settings,
) -> NewJob:
    """The rows of a submission. A circuit too large for its row gets an object key instead; the caller writes it."""
    job_id = new_id()
    job = submission.template.job
    spec, metadata, data = job.spec, job.metadata, submission.data
    small = data is None or len(data) <= settings.inline_input_bytes
    return NewJob(
        id=job_id,
        namespace=namespace,
        name=metadata.name or f"job-{job_id[-12:]}",
        idempotency_key=idempotency_key,
        priority=spec.execution.priority.level,
        shots=spec.execution.shots,
        # Each Python source has a sandbox child of its own, and nobody waits for another's fetch; the rest share one.
        batchable=data is not None and submission.format != "python",
        total_seconds=spec.timeouts.total.seconds if spec.timeouts.total is not None else None,
        labels=metadata.labels or {},
        resource=submission.template.resource,
        spec_hash=_spec_hash(submission),
        format=submission.format,
        data=data if small else None,
        object_key=None if small else keys.pending_input(namespace, job_id, str(submission.format)),
        sha256=None if data is None else hashlib.sha256(data).hexdigest(),
        # A circuit from Git has a commit of its own, known when it is fetched.
        git_commit=None if spec.circuit.source is CircuitSource.GIT else git_commit,
    )


def _spec_hash(submission: Submission) -> str:
    # The template's part holds the reference of a circuit that is yet to be fetched.
    digest = hashlib.sha256(submission.template.spec)
    digest.update(submission.data or b"")
    return digest.hexdigest()
