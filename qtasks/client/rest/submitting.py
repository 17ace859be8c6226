"""Submitting over REST: submissions as documents, in requests of a bounded size that may be sent twice."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qtasks.circuits.formats import QPY
from qtasks.client.gateway import Document, Handle
from qtasks.client.rest.transport import Transport
from qtasks.client.submission import Submission
from qtasks.errors import InvalidInput, QTasksError
from qtasks.telemetry import traces

_AT_ONCE = 1000
_BYTES = 8 * 2**20
"""Circuits of one request, together; a larger one goes alone."""
_IN_A_HEADER = re.compile(r"[!-~]([ -~]{0,253}[!-~])?")
COMMIT = "QTasks-Git-Commit"
"""The header that names the commit of the folder that is submitted from."""


@dataclass(frozen=True, slots=True)
class _Item:
    """One submission, ready to be sent."""

    document: Document
    key: str
    own_key: bool
    """Whether the key was made here, for this request alone."""
    named: bool
    size: int
    commit: str | None


def submit(
    transport: Transport, submissions: Sequence[Submission], namespace: str, keys: Sequence[str | None], *, strict: bool
) -> list[Handle]:
    """See `Gateway.submit`; all or none holds for each thousand."""
    items = [_item(submission, key) for submission, key in zip(submissions, keys, strict=True)]
    made: list[Handle] = []
    for chunk in _chunks(items):
        try:
            made += _send(transport, chunk, namespace, strict)
        except QTasksError as error:
            if made:
                error.details["submitted"] = [handle.id for handle in made]
            raise
    return made


def document_of(submission: Submission) -> Document:
    """A submission as the document of its job. The document of it that a server reads has the same hash. Raises
    InvalidInput (`InvalidCircuit`) for a circuit that is neither QPY nor UTF-8."""
    resource, data = submission.template.resource, submission.data
    if data is None:
        return dict(resource)
    if submission.format == QPY:
        # Base64 that reaches us as text stays as it is.
        code = base64.b64encode(data).decode() if data.startswith(b"QISKIT") else data.decode()
    else:
        try:
            code = data.decode()
        except UnicodeDecodeError as error:
            raise InvalidInput(
                f"The circuit is neither QPY nor UTF-8 text: byte {error.start} cannot be read.",
                reason="InvalidCircuit",
                hint="Send Python, OpenQASM 2, OpenQASM 3 or QPY.",
            ) from None
    spec = resource["spec"]
    return {**resource, "spec": {**spec, "circuit": {**spec["circuit"], "code": code}}}


def _item(submission: Submission, key: str | None) -> _Item:
    size = 0 if submission.data is None else len(submission.data) * 4 // 3
    own = key is None
    # An answer that is lost must not make two jobs of the request that is sent again.
    return _Item(
        document_of(submission),
        uuid.uuid4().hex if key is None else key,
        own,
        submission.template.job.metadata.name is not None,
        size,
        submission.git_commit,
    )


def _chunks(items: Sequence[_Item]) -> Iterator[list[_Item]]:
    chunk: list[_Item] = []
    size = 0
    for item in items:
        if chunk and (len(chunk) == _AT_ONCE or size + item.size > _BYTES or item.commit != chunk[0].commit):
            yield chunk
            chunk, size = [], 0
        chunk.append(item)
        size += item.size
    if chunk:
        yield chunk


def _send(transport: Transport, chunk: Sequence[_Item], namespace: str, strict: bool) -> list[Handle]:
    first, headers, began = chunk[0], traces.headers(), traces.now()
    if first.commit is not None:
        headers[COMMIT] = first.commit
    parameters = {"namespace": namespace, "strict": True if strict else None}
    if len(chunk) == 1 and _IN_A_HEADER.fullmatch(first.key):
        headers["Idempotency-Key"] = first.key
        body: Any = first.document
    else:
        body = list_of([item.document for item in chunk]) | {"idempotencyKeys": [item.key for item in chunk]}
    answer = transport.post("/v1/jobs", body, repeatable=True, headers=headers, parameters=parameters)
    found = answer["items"] if answer.get("kind") == "List" else [answer]
    handles = [_handle(one, item) for item, one in zip(chunk, found, strict=True)]
    if traces.on():
        made = {made.id: {"job": made.name, "namespace": made.namespace} for made in handles if made.created}
        traces.submitted(made, since=began)
    return handles


def list_of(documents: Sequence[Document]) -> Document:
    return {"apiVersion": "v1", "kind": "List", "items": list(documents)}


def _handle(answer: Mapping[str, Any], item: _Item) -> Handle:
    metadata = answer["metadata"]
    # Under a key that nobody else has, a job that has no name to be found by was made here, by whichever request.
    created = bool(answer["created"]) or (item.own_key and not item.named)
    return Handle(metadata["uid"], metadata["name"], metadata["namespace"], created=created)
