"""One QiskitJob that is followed: which job it is of, and what was written of it last."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qtasks.operator.kinds import JOBS, Key
from qtasks.operator.statuses import Condition
from qtasks.results.outputs.owner import OWNER_NAME

_ONLY_DESCRIBED = ("attempts", "budget", "queue")
"""What a list does not tell of a job."""


@dataclass(slots=True)
class Followed:
    """A resource and its job. Whoever writes its status holds `lock`."""

    key: Key
    uid: str
    job_id: str
    generation: int
    """The generation of the resource that `accepted` is about."""
    accepted: Condition
    written: dict[str, Any]
    """The status that the API server has."""
    phase: str = ""
    seen: str = ""
    """The digest of what qtasks said last."""
    queue: Mapping[str, Any] = field(default_factory=dict)
    look_at: float = float("inf")
    """When it is looked at though nothing was heard of it, by the monotonic clock."""
    pause: float = 1.0
    lock: threading.Lock = field(default_factory=threading.Lock)


def digest(document: Mapping[str, Any]) -> str:
    """Of what lists and descriptions of a job both say: another one means news."""
    status = {name: value for name, value in document["status"].items() if name not in _ONLY_DESCRIBED}
    return hashlib.sha256(json.dumps(status, sort_keys=True).encode()).hexdigest()


def key_of_job(document: Mapping[str, Any]) -> Key:
    """The resource that a job is of."""
    metadata = document["metadata"]
    name = metadata.get("annotations", {}).get(OWNER_NAME, metadata["name"])
    return Key(JOBS, metadata["namespace"], name)
