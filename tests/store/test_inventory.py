"""Whether every object is there that a row points at, and what can be put back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from qtasks.client import inventory
from qtasks.objects import keys
from tests.store.retaining import Archive

pytestmark = pytest.mark.system


@pytest.fixture
def archive(migrated_url: str, tmp_path: Path) -> Iterator[Archive]:
    opened = Archive.open(migrated_url, tmp_path)
    yield opened
    opened.worker.close()


def test_what_is_missing_is_named_by_job(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "_AT_ONCE", 1)
    whole, torn = archive.final(), archive.final(namespace="lab")
    assert list(inventory.missing(archive.worker.store, archive.worker.objects)) == []
    archive.worker.objects.delete(keys.completed_circuit("lab", torn))
    [found] = inventory.missing(archive.worker.store, archive.worker.objects)
    assert (found.pointer.job_id, found.pointer.namespace, found.twin) == (torn, "lab", None)
    assert found.pointer.key == keys.completed_circuit("lab", torn) and whole in archive.there()


def test_what_went_on_while_objects_were_copied_is_put_back(archive: Archive) -> None:
    objects = archive.worker.objects
    waiting, fetched = (archive.acting.submitted() for _ in range(2))
    rows = {
        archive.acting.submitted(data=None, object_key=key): key
        for key in (
            keys.pending_input("default", waiting, "qasm2"),
            keys.pending_fetched("default", fetched, "python", 7),
        )
    }
    objects.put(keys.completed_input("default", waiting, "qasm2"), b"qasm")
    objects.put(keys.completed_input("default", fetched, "python"), b"python")
    found = list(inventory.missing(archive.worker.store, objects))
    assert {each.pointer.key for each in found} == set(rows.values()) and all(each.twin for each in found)
    for each in found:
        inventory.repair(objects, each)
    assert list(inventory.missing(archive.worker.store, objects)) == []
    assert sorted(objects.get(key) for key in rows.values()) == [b"python", b"qasm"]
