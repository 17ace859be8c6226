"""What `/metrics` answers: what all processes that share a folder have counted, and what is read at this moment."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from qtasks.telemetry import metric
from qtasks.telemetry.metric import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Reading: TypeAlias = tuple[Metric, Sequence[tuple[Mapping[str, str], float]]]
"""A gauge, with its labels and values."""

_FOLDED = 0
"""Stands for the process id in the files of those that are dead."""
_lock = threading.Lock()


def text(readings: Iterable[Reading] = ()) -> bytes:
    """Everything, as Prometheus reads it."""
    from prometheus_client import generate_latest

    families = [*_counted(), *map(_gauge, readings)]
    return generate_latest(_Collected(families))


class _Collected:
    """Families that are known already, as a registry."""

    def __init__(self, families: list[Any]) -> None:
        self._families = families

    def collect(self) -> list[Any]:
        return self._families


def _gauge(reading: Reading) -> Any:
    from prometheus_client.core import GaugeMetricFamily

    what, values = reading
    family = GaugeMetricFamily(what.name, what.meaning, labels=list(what.labels))
    for labels, value in values:
        family.add_metric([labels[name] for name in what.labels], value)
    return family


def _counted() -> list[Any]:
    folder = metric.folder()
    if folder is None:
        return list(metric.registry().collect()) if metric.registry() is not None else []
    with _alone(folder):
        _fold(folder)
        return list(_merged(map(str, folder.glob("*.db"))))


def _merged(files: Iterable[str], *, accumulate: bool = True) -> Any:
    from prometheus_client.multiprocess import MultiProcessCollector

    return MultiProcessCollector.merge(files, accumulate)  # type: ignore[no-untyped-call]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While one process folds, nobody reads."""
    with _lock, (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fold(folder: Path) -> None:
    """Put what the dead have counted into one file of each kind: a worker whose processes die all the time is not to
    grow by two files for each."""
    for kind in ("counter", "histogram"):
        dead = [path for path in folder.glob(f"{kind}_*.db") if not _alive(_process_of(path))]
        if dead:
            _fold_kind(folder, kind, dead)


def _fold_kind(folder: Path, kind: str, dead: list[Path]) -> None:
    from prometheus_client.mmap_dict import MmapedDict, mmap_key

    kept, fresh = folder / f"{kind}_{_FOLDED}.db", folder / f"{kind}.new"
    fresh.unlink(missing_ok=True)
    # Out of the way first: if this process dies in between, a little is lost, and nothing is counted twice.
    gone = [path.rename(path.with_suffix(".gone")) for path in dead]
    files = [str(path) for path in ([kept] if kept.exists() else []) + gone]
    target = MmapedDict(str(fresh))  # type: ignore[no-untyped-call]
    try:
        for family in _merged(files, accumulate=False):
            for sample in family.samples:
                names, values = list(sample.labels), list(sample.labels.values())
                key = mmap_key(family.name, sample.name, names, values, family.documentation)
                target.write_value(key, sample.value, 0.0)  # type: ignore[no-untyped-call]
    finally:
        target.close()  # type: ignore[no-untyped-call]
    fresh.replace(kept)
    for path in gone:
        path.unlink(missing_ok=True)


def _process_of(path: Path) -> int:
    return int(path.stem.rpartition("_")[2])


def _alive(process: int) -> bool:
    if process == _FOLDED:
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
