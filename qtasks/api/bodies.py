"""What a request's body says: JSON or YAML as plain data, jobs and circuits as submissions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qtasks.api.negotiation import media_type
from qtasks.circuits.formats import detect
from qtasks.client.submission import Submission, Template, from_circuit, from_resource
from qtasks.errors import InvalidInput
from qtasks.resources import QiskitJob, Resource, load, yaml_text
from qtasks.settings import Settings

JSON, YAML = "application/json", "application/yaml"
QPY = "application/x-qpy"
CIRCUITS = ("text/plain", "application/x-qasm", QPY)
_YAML = frozenset({YAML, "application/x-yaml", "text/yaml"})
MOST_JOBS = 1000
LONGEST_KEY = 255


@dataclass(frozen=True, slots=True)
class Body:
    """A body as it came."""

    data: bytes
    content_type: str | None

    @property
    def media_type(self) -> str:
        return media_type(self.content_type)

    def plain(self) -> Any:
        """JSON or YAML as plain data. Raises InvalidInput (`UnsupportedMediaType`, `UnreadableBody`)."""
        if self.media_type in _YAML:
            return _yaml(self.data)
        if self.media_type in (JSON, ""):
            return _json(self.data)
        raise unsupported(self.media_type, (JSON, YAML))


def unsupported(given: str, taken: Sequence[str]) -> InvalidInput:
    hint = f"Send {', '.join(taken)}, and say which in Content-Type."
    return InvalidInput(f"A body of type {given[:100]} is not taken.", reason="UnsupportedMediaType", hint=hint)


def unreadable(why: str) -> InvalidInput:
    return InvalidInput(f"The body cannot be read: {why}.", reason="UnreadableBody")


def _json(data: bytes) -> Any:
    try:
        found = json.loads(data.decode(), parse_constant=_no_number)
        if b"\\u" in data:
            json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair is no text that can be kept
        return found
    except RecursionError:
        raise unreadable("it is nested too deep") from None
    except ValueError as error:
        raise unreadable(f"it is no JSON ({str(error).split(';')[0]})") from None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _yaml(data: bytes) -> Any:
    try:
        documents = [one for one in yaml_text.read(data.decode()) if one is not None]
        json.dumps(documents, ensure_ascii=False, default=str).encode()
    except InvalidInput as error:
        raise unreadable(error.message) from None
    except ValueError as error:
        raise unreadable(f"it is no YAML in UTF-8 ({str(error).split(';')[0]})") from None
    return documents[0] if len(documents) == 1 else {"kind": "List", "items": documents}


@dataclass(frozen=True, slots=True)
class Options:
    """What a bare circuit's address says of its job; a whole job says it itself."""

    name: str | None = None
    shots: int | None = None
    backend: str | None = None
    priority: str | None = None
    seed_simulator: int | None = None
    labels: str | None = None

    def given(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in values.items() if value is not None}

    def template(self) -> Template:
        """The job around a circuit. Raises InvalidInput."""
        metadata: dict[str, Any] = {} if self.name is None else {"name": self.name}
        if self.labels:
            pairs = [pair.partition("=") for pair in self.labels.split(",")]
            metadata["labels"] = {key.strip(): value.strip() for key, _, value in pairs}
        execution = {"shots": self.shots, "priority": self.priority, "seedSimulator": self.seed_simulator}
        spec: dict[str, Any] = {
            "circuit": {"source": "inline", "code": "…"},
            "execution": {name: value for name, value in execution.items() if value is not None},
        }
        if self.backend is not None:
            spec["backend"] = {"type": self.backend}
        (job,) = jobs_of({"metadata": metadata, "spec": spec})
        return Template.of(job)


@dataclass(frozen=True, slots=True)
class Submitted:
    """What a body asks to submit, and the idempotency key of each."""

    submissions: list[Submission]
    keys: list[str | None]
    many: bool


def submitted(
    body: Body, options: Options, settings: Settings, *, key: str | None = None, git_commit: str | None = None
) -> Submitted:
    """The jobs of a body: one, a List of them, or a bare circuit with its options. Raises InvalidInput."""
    if body.media_type in CIRCUITS:
        if body.media_type == QPY and detect(body.data) != "qpy":
            raise InvalidInput("The body is no QPY.", reason="InvalidCircuit", hint="Write it with qiskit.qpy.dump.")
        if not body.data.strip():
            raise unreadable("it is empty")
        # Bytes: a text of one line that ends in .qasm would be taken for a file's name.
        return Submitted([from_circuit(body.data, options.template(), settings, git_commit)], [key], many=False)
    if body.media_type not in (JSON, "", *_YAML):
        raise unsupported(body.media_type, (JSON, YAML, *CIRCUITS))
    if options.given():
        raise InvalidInput(
            f"A whole job carries its own options; leave out {', '.join(options.given())}.",
            reason="InvalidInput",
            hint="They are for bare circuits: text/plain, application/x-qasm, application/x-qpy.",
        )
    document = body.plain()
    many = _is_list(document)
    keys = _keys(document, key) if many else [key]
    return Submitted([from_resource(job, settings, git_commit) for job in jobs_of(document)], keys, many=many)


def jobs_of(document: Any) -> list[QiskitJob]:
    """The jobs of a document or a List; `apiVersion` and `kind` may be left out. Raises InvalidInput."""
    items = document["items"] if _is_list(document) else [document]
    found = load({"items": [_completed(item, "QiskitJob") for item in items]})
    return [_job(resource) for resource in found]


def resource_of(body: Body, kind: str) -> Resource:
    """The one resource of a body, of this kind when it names none. Raises InvalidInput."""
    (found,) = load({"items": [_completed(body.plain(), kind)]})
    return found


def _completed(item: Any, kind: str) -> Any:
    return {"apiVersion": "quantum.io/v1", "kind": kind, **item} if isinstance(item, Mapping) else item


def _is_list(document: Any) -> bool:
    if not isinstance(document, Mapping) or document.get("kind") != "List":
        return False
    items = document.get("items")
    unknown = document.keys() - {"apiVersion", "kind", "metadata", "items", "idempotencyKeys"}
    if unknown:
        raise InvalidInput(f"A List has no {', '.join(sorted(map(str, unknown)))[:200]}.", reason="InvalidList")
    if not isinstance(items, list) or not 1 <= len(items) <= MOST_JOBS:
        raise InvalidInput(f"A List has 1 to {MOST_JOBS} items.", reason="InvalidList")
    return True


def _keys(document: Mapping[str, Any], key: str | None) -> list[str | None]:
    count = len(document["items"])
    keys = document.get("idempotencyKeys")
    if key is not None:
        raise InvalidInput(
            "Idempotency-Key is for one job.",
            reason="InvalidIdempotencyKey",
            hint="Of a List, idempotencyKeys has a key for each item, or null.",
        )
    if keys is None:
        return [None] * count
    if not isinstance(keys, list) or len(keys) != count or not all(each is None or good_key(each) for each in keys):
        raise InvalidInput(
            f"idempotencyKeys has a text of 1 to {LONGEST_KEY} visible characters, or null, for each item.",
            reason="InvalidIdempotencyKey",
        )
    return keys


def good_key(key: Any) -> bool:
    """Whether a text can be an idempotency key."""
    return isinstance(key, str) and 1 <= len(key) <= LONGEST_KEY and key.isprintable()


def _job(resource: Resource) -> QiskitJob:
    if isinstance(resource, QiskitJob):
        return resource
    raise InvalidInput(
        f"A {resource.kind} is no job.",
        reason="WrongKind",
        hint="Budgets, sessions and backends are posted to addresses of their own.",
    )
