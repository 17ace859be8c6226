"""A metric: its name and meaning, and how it is counted. Costs next to nothing in a process that shows no metrics.

With a folder, whatever a process counts lies in files there, which outlive it: see `exposition`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

_FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_MOST_SERIES = 200
"""Combinations of labels that one process counts of one metric; what comes beyond is counted as `other`."""
OTHER = "other"

_registry: Any = None
"""Where this process counts; None: nobody asked for metrics, and nothing is counted."""


class Kind(StrEnum):
    """How a metric is to be read."""

    COUNTER = "counter"
    HISTOGRAM = "histogram"
    GAUGE = "gauge"


class Shown(StrEnum):
    """Whose `/metrics` has a metric."""

    WORKER = "worker"
    API = "api"
    BEAT = "beat"


@dataclass(eq=False)
class Metric:
    """What is counted (`count`), measured (`observe`), or read from elsewhere when somebody asks (a gauge)."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    shown: tuple[Shown, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    """Their names, and what each says."""
    buckets: tuple[float, ...] = ()
    _series: dict[tuple[str, ...], Any] = field(default_factory=dict, repr=False)
    _made: tuple[Any, Any] = (None, None)

    def count(self, amount: float = 1.0, **labels: str) -> None:
        """Add to a counter."""
        if _registry is not None:
            self._of(labels).inc(amount)

    def observe(self, value: float, **labels: str) -> None:
        """Put a value into a histogram."""
        if _registry is not None:
            self._of(labels).observe(value)

    def _of(self, labels: Mapping[str, str]) -> Any:
        if self._made[0] is not _registry:
            self._made = (_registry, self._make())
            self._series.clear()
        key = tuple(labels[name] for name in self.labels)
        found = self._series.get(key)
        if found is None:
            if len(self._series) >= _MOST_SERIES:
                key = (OTHER,) * len(key)
            made = self._made[1]
            found = self._series[key] = made.labels(*key) if key else made
        return found

    def _make(self) -> Any:
        import prometheus_client

        names = list(self.labels)
        if self.kind is Kind.HISTOGRAM:
            return prometheus_client.Histogram(self.name, self.meaning, names, registry=_registry, buckets=self.buckets)
        return prometheus_client.Counter(self.name, self.meaning, names, registry=_registry)


def switch_on(folder: Path | None = None) -> None:
    """Count from here on: in files of `folder`, for all processes forked or started from this one, or in this process
    alone."""
    global _registry
    if folder is not None:
        os.environ[_FOLDER_VARIABLE] = str(folder)
    import prometheus_client
    from prometheus_client import values

    if folder is not None and values.ValueClass is values.MutexValue:
        # It was imported before anybody named a folder.
        values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
    _registry = prometheus_client.CollectorRegistry()


def switch_off() -> None:
    """Count nothing any more."""
    global _registry
    _registry = None


def registry() -> Any:
    """Where this process counts; None where it does not."""
    return _registry


def folder() -> Path | None:
    """Where this process and its kin keep what they count."""
    found = os.environ.get(_FOLDER_VARIABLE)
    return Path(found) if found else None
