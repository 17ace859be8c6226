"""Sessions of the server."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass
class Session:
    """A session or batch on a device."""

    backend: str
    mode: str
    max_seconds: int | None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    accepting: bool = True
    closed_at: datetime | None = None

    def close(self, at: datetime) -> None:
        if self.accepting:
            self.accepting, self.closed_at = False, at

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "backend_name": self.backend,
            "mode": self.mode,
            "max_ttl": self.max_seconds,
            "state": "open" if self.accepting else "closed",
            "accepting_jobs": self.accepting,
            "elapsed_time": 0,
        }
