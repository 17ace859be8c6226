"""The form that submits a job: from its fields to a submission, and from an error to the field that it is about."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from qtasks.client.submission import Submission, Template, from_circuit
from qtasks.errors import InvalidInput, QTasksError
from qtasks.resources import QiskitJob
from qtasks.settings import Settings

# Fields of the form by where the resource has what they say; the longest fitting path counts.
_BY_PATH = {
    "metadata.name": "name",
    "metadata.namespace": "namespace",
    "metadata.labels": "labels",
    "spec.execution.shots": "shots",
    "spec.execution.priority": "priority",
    "spec.execution.seedSimulator": "seed",
    "spec.backend.type": "backend",
    "spec.backend.name": "device",
    "spec.budget.maxCost": "max_cost",
    "spec.circuit": "code",
}
_BY_REASON = {
    "InvalidCircuit": "code",
    "UnsupportedFormat": "code",
    "TooLarge": "code",
    "NoCircuit": "code",
    "TwoCircuits": "file",
    "InvalidLabels": "labels",
    "JobExists": "name",
    "UrgentNotAllowed": "priority",
    "QuotaExceeded": "namespace",
    "Forbidden": "namespace",
}


@dataclass(frozen=True, slots=True)
class Fields:
    """What was typed in, as it was typed in."""

    code: str = ""
    shots: str = "1024"
    backend: str = "local_simulator"
    device: str = ""
    priority: str = "normal"
    seed: str = ""
    name: str = ""
    namespace: str = "default"
    labels: str = ""
    max_cost: str = ""

    @classmethod
    def of(cls, form: Mapping[str, str]) -> Fields:
        given = {field.name: form[field.name] for field in fields(cls) if field.name in form}
        # A browser sends line ends as CR LF.
        return cls(**{name: value.replace("\r\n", "\n") for name, value in given.items()})

    def submission(self, file: bytes | None, settings: Settings) -> Submission:
        """Raises InvalidInput: `NoCircuit`, `TwoCircuits`, `InvalidLabels`, `InvalidResource`, what is wrong with a
        circuit."""
        spec: dict[str, Any] = {
            "circuit": {"source": "inline", "code": "…"},
            "backend": {"type": self.backend.strip(), **_given("name", self.device)},
            "execution": {
                "priority": self.priority.strip(),
                "shots": _number(self.shots),
                **_given("seedSimulator", self.seed, _number),
            },
            **({"budget": {"maxCost": self.max_cost.strip()}} if self.max_cost.strip() else {}),
        }
        metadata = {
            **_given("name", self.name),
            **_given("namespace", self.namespace),
            **({"labels": _labels(self.labels)} if self.labels.strip() else {}),
        }
        template = Template.of(QiskitJob(metadata=metadata, spec=spec))
        # Bytes: a line of text that looks like a path would be read as the file of that name, on this machine.
        return from_circuit(self._circuit(file), template, settings)

    def _circuit(self, file: bytes | None) -> bytes:
        if file is not None and self.code.strip():
            raise InvalidInput(
                "There is a circuit in the text and one in the file.",
                reason="TwoCircuits",
                hint="Empty the text, or choose no file.",
            )
        if file is None and not self.code.strip():
            raise InvalidInput("There is no circuit.", reason="NoCircuit", hint="Type one in, or choose a file.")
        return self.code.encode() if file is None else file

    def key(self, once: str, file: bytes | None) -> str:
        """The idempotency key of this form, filled in like this: sent twice it makes one job, changed another."""
        said = json.dumps([once, *(getattr(self, field.name) for field in fields(self))])
        return "page-" + hashlib.sha256(said.encode() + b"\0" + (file or b"")).hexdigest()


def _given(name: str, text: str, read: Any = str) -> dict[str, Any]:
    return {name: read(text.strip())} if text.strip() else {}


def _number(text: str) -> Any:
    """A whole number, or the text, of which the resource then says what is wrong with it."""
    plain = text.strip()
    return int(plain) if plain.isascii() and plain.removeprefix("-").isdigit() and len(plain) < 20 else plain


def _labels(text: str) -> dict[str, str]:
    pairs = [pair.strip().partition("=") for pair in text.split(",") if pair.strip()]
    for key, equals, _ in pairs:
        if not equals or not key.strip():
            raise InvalidInput(
                "Labels are key=value, with commas between.",
                reason="InvalidLabels",
                hint="As in algorithm=grover,team=a.",
            )
    return {key.strip(): value.strip() for key, _, value in pairs}


def by_field(error: QTasksError) -> dict[str, str]:
    """What to say at each field; what is about none of them stands under the empty name."""
    problems = error.details.get("problems", []) if error.reason == "InvalidResource" else []
    if not problems:
        return {_BY_REASON.get(error.reason, ""): f"{error.message} {error.hint}".strip()}
    found: dict[str, str] = {}
    for problem in problems:
        path = str(problem["path"])
        fitting = [known for known in _BY_PATH if path == known or path.startswith((f"{known}.", f"{known}["))]
        name = _BY_PATH[max(fitting, key=len)] if fitting else ""
        said = str(problem["message"]) if name else f"{path}: {problem['message']}".removeprefix(": ")
        found[name] = f"{found[name]} {said}" if name in found else said
    return found
