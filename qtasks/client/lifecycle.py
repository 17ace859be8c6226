"""The lifecycle rules of the bucket that an installation keeps its objects in: told, and set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtasks.config import load_config
from qtasks.errors import InvalidInput
from qtasks.objects import open_store
from qtasks.objects.gcs import GCSStore
from qtasks.objects.lifecycle import Rule, rules
from qtasks.objects.s3 import S3Store
from qtasks.settings import Settings


def document(settings: Settings) -> dict[str, Any]:
    """The rules as the bucket's own tools take them. Raises InvalidInput (`NoLifecycle`) for a folder."""
    return _store(settings).lifecycle(_rules(settings))


def apply(settings: Settings) -> tuple[str, int]:
    """Set the rules; returns the address of the store, and how many rules of others its bucket has. Raises InvalidInput
    (`NoLifecycle`), and what stores raise."""
    store = _store(settings)
    return store.url, store.apply_lifecycle(_rules(settings))


def _rules(settings: Settings) -> Sequence[Rule]:
    return rules(load_config(settings.config_file).longest_objects())


def _store(settings: Settings) -> S3Store | GCSStore:
    store = open_store(settings.object_store)
    if not isinstance(store, (S3Store, GCSStore)):
        raise InvalidInput(
            f"{store.url} is a folder, which has no lifecycle rules.",
            reason="NoLifecycle",
            hint="Nothing is amiss: retention removes what is kept no longer, and what no job knows.",
        )
    return store
