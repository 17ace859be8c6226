"""Where a job that is there and one that is to be differ. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qtasks.resources import QiskitJob

_LONGEST = 40


def differences(there: Mapping[str, Any], new: QiskitJob) -> list[str]:
    """A line for each field of the spec that is written in another way: `spec.execution.shots: 1024 → 4096`."""
    from qtasks.resources import dump

    return list(_walk("spec", there["spec"], dump(new)["spec"]))


def _walk(path: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys((*old, *new)):
            yield from _walk(f"{path}.{key}", old.get(key), new.get(key))
    elif old != new:
        yield f"{path}: {_shown(old)} → {_shown(new)}" if _short(old) and _short(new) else f"{path} differs"


def _short(value: Any) -> bool:
    return "\n" not in str(value) and len(_shown(value)) <= _LONGEST


def _shown(value: Any) -> str:
    return "<none>" if value is None else str(value)
