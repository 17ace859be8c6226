"""The order of lists: `--sort-by`. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from qtasks.cli import jsonpath
from qtasks.errors import InvalidInput

Document = Mapping[str, Any]

SORT_KEYS = ("age", "name", "phase", "priority", "shots", "cost", "duration")
_OF_JOBS = ("phase", "priority", "shots", "cost", "duration")
_PRIORITIES = ("urgent", "high", "normal", "low")


def require_key(key: str, *, of_jobs: bool) -> None:
    """Raises InvalidInput (`InvalidSortKey`, `InvalidJSONPath`) for what nothing can be sorted by."""
    if key in SORT_KEYS and (of_jobs or key not in _OF_JOBS):
        return
    if key[:1] not in (".", "{", "$"):
        keys = [known for known in SORT_KEYS if of_jobs or known not in _OF_JOBS]
        raise InvalidInput(
            f'Nothing can be sorted by "{key}".',
            reason="InvalidSortKey",
            hint=f"Keys: {', '.join(keys)}, or a JSONPath such as .metadata.name.",
        )
    jsonpath.values(key, {})


def sort(documents: Sequence[Document], key: str) -> list[Document]:
    """The documents with the least first, those that lack the key last: the newest by `age`, the most urgent by
    `priority`; times, numbers and texts in their own order."""
    value = _VALUES.get(key) or (lambda document: next(iter(jsonpath.values(key, document)), None))
    known: list[tuple[Any, Document]] = []
    lacking: list[Document] = []
    for document in documents:
        found = value(document)
        if found is None:
            lacking.append(document)
        else:
            known.append((found, document))
    plain = all(isinstance(found, (int, float)) for found, _ in known)
    known.sort(key=lambda pair: pair[0] if plain else str(pair[0]), reverse=key == "age")
    return [document for _, document in known] + lacking


def _cost(document: Document) -> float:
    return float(str(document["status"]["cost"]).replace("$", "").replace(",", ""))


def _priority(document: Document) -> int:
    from qtasks.cli.job_table import priority

    return _PRIORITIES.index(priority(document))


def _shots(document: Document) -> int:
    from qtasks.cli.job_table import shots

    return shots(document)


def _duration(document: Document) -> float | None:
    from qtasks.cli.ages import now
    from qtasks.cli.job_table import duration

    return duration(document, now())


def _name(document: Document) -> Any:
    return document.get("metadata", document).get("name")


_VALUES: Mapping[str, Callable[[Document], Any]] = {
    "age": lambda document: document.get("metadata", {}).get("creationTimestamp"),
    "name": _name,
    "phase": lambda document: document["status"]["phase"],
    "priority": _priority,
    "shots": _shots,
    "cost": _cost,
    "duration": _duration,
}
