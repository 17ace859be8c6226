"""Whether every object is there that a row points at: what a restored installation is asked first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from qtasks.objects import ObjectStore, open_store
from qtasks.settings import Settings
from qtasks.store import Store, pointers, schema
from qtasks.store.pointers import Pointer

_AT_ONCE = 1000
_FETCHED = re.compile(r"/fetched-[0-9]+(\.[^/]*)$")


@dataclass(frozen=True, slots=True)
class Missing:
    """An object that is not where a row says."""

    pointer: Pointer
    twin: str | None
    """Where the same bytes are: the job had gone on when its objects were copied. None: nowhere."""


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[Store, ObjectStore]]:
    """Database and object store of an installation, whether or not anything runs. Raises Unavailable, and WrongSchema
    (see `store.schema`)."""
    store = Store(settings.database, pool_size=1)
    try:
        schema.require_current(store)
        yield store, open_store(settings.object_store)
    finally:
        store.close()


def missing(store: Store, objects: ObjectStore) -> Iterator[Missing]:
    """The objects that are missing, by job. Keeps the names of all objects in memory, about 200 bytes each."""
    there = {key for place in ("completed/", "pending/") for key in objects.list(place)}
    after: str | None = None
    while True:
        with store.read() as tx:
            found, after = pointers.walk(tx, after=after, limit=_AT_ONCE)
        for pointer in sorted(found, key=lambda each: (each.job_id, each.key)):
            if pointer.key not in there:
                twin = _twin(pointer.key)
                yield Missing(pointer, twin if twin in there else None)
        if after is None:
            return


def repair(objects: ObjectStore, found: Missing) -> None:
    """Put a missing object back from its twin."""
    assert found.twin is not None, "only what lies elsewhere can be put back"
    objects.put(found.pointer.key, objects.get(found.twin))


def _twin(key: str) -> str | None:
    """Where aftercare brings what lies under `pending/`."""
    if not key.startswith("pending/"):
        return None
    return "completed/" + _FETCHED.sub(r"/input\1", key).removeprefix("pending/")
