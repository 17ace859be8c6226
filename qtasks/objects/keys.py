"""Where each object lies: inputs under `pending/`, then, with results, under `completed/`. Pure; keys never change."""

from __future__ import annotations

import re

from qtasks.errors import InvalidInput
from qtasks.objects.protocol import valid_key

_EXTENSIONS = {
    "openqasm2": "qasm",
    "openqasm3": "qasm3",
    "python": "py",
    "qasm": "qasm",
    "qasm2": "qasm",
    "qasm3": "qasm3",
    "qpy": "qpy",
}


def pending_input(namespace: str, job_id: str, format: str) -> str:  # noqa: A002 - the field's name
    """Key of the circuit of a job that is not final. Raises InvalidInput (`InvalidObjectKey`), as all of these do."""
    return _key("pending", namespace, job_id, f"input.{_extension(format)}")


def pending_fetched(namespace: str, job_id: str, format: str, fence: int) -> str:  # noqa: A002
    """Key of the circuit that the claim numbered `fence` fetched for a job that is not final."""
    return _key("pending", namespace, job_id, f"fetched-{fence}.{_extension(format)}")


def pending(namespace: str, job_id: str) -> str:
    """What the keys of all objects of a job that is not final begin with."""
    return _key("pending", namespace, job_id) + "/"


def completed(namespace: str, job_id: str) -> str:
    """What the keys of all objects of a final job begin with."""
    return _key("completed", namespace, job_id) + "/"


def pending_circuit(namespace: str, job_id: str) -> str:
    """Key of the checked circuit (canonical QPY) of a job that is not final, when it is large."""
    return _key("pending", namespace, job_id, "circuit.qpy")


def completed_circuit(namespace: str, job_id: str) -> str:
    """Key of the checked circuit (canonical QPY) of a Completed job, when it is large."""
    return _key("completed", namespace, job_id, "circuit.qpy")


def completed_input(namespace: str, job_id: str, format: str) -> str:  # noqa: A002
    """Key of the circuit of a final job."""
    return _key("completed", namespace, job_id, f"input.{_extension(format)}")


def result(namespace: str, job_id: str, fence: int) -> str:
    """Key of the result of one job (JSON), as the claim numbered `fence` wrote it."""
    return _key("completed", namespace, job_id, f"result-{fence}.json")


def result_batch(namespace: str, batch_id: str) -> str:
    """Key of many small results in one object (JSON Lines, one result a line)."""
    return _key("completed", namespace, "batches", f"{batch_id}.jsonl")


def isa(namespace: str, job_id: str, fence: int, format: str) -> str:  # noqa: A002
    """Key of the circuit as a provider's device takes it, as the claim numbered `fence` compiled it."""
    return _key("completed", namespace, job_id, f"isa-{fence}.{_extension(format)}")


def calibration(device: str, digest: str) -> str:
    """Key of a device's calibration (JSON), shared by all jobs that met it."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", device).strip("-.")
    return _key("calibrations", name or "device", f"{digest}.json")


INSTALLATIONS = "installations/"
"""What the keys of the marks begin with by which installations are known to all that use a store."""


def installation(some_id: str) -> str:
    """Key of an installation's mark."""
    return _key(INSTALLATIONS.rstrip("/"), some_id)


def maker(key: str) -> str | None:
    """The id behind an object under `pending/` or `completed/`: of its job, or of the batch that it holds the results
    of; None for any other key."""
    place, _, rest = key.partition("/")
    segments = rest.split("/")
    if place not in ("pending", "completed") or len(segments) != 3:
        return None
    return segments[2].removesuffix(".jsonl") if is_batch(key) else segments[1]


def is_batch(key: str) -> bool:
    """Whether it is the key of many results in one object."""
    return key.startswith("completed/") and key.split("/")[2:3] == ["batches"]


def _extension(format: str) -> str:  # noqa: A002
    return _EXTENSIONS.get(format.lower(), format)


def _key(*segments: str) -> str:
    for segment in segments:
        if "/" in segment:
            raise InvalidInput(f"{segment[:200]!r} cannot be a part of an object key.", reason="InvalidObjectKey")
    return valid_key("/".join(segments))
