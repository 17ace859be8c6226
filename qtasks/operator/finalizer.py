"""Holding a resource, and letting it go: our finalizer among those of others."""

from __future__ import annotations

from qtasks.operator.api_server import ApiServer
from qtasks.operator.kinds import FINALIZER, Key, Object, is_held


def hold(api: ApiServer, key: Key, found: Object) -> Object | None:
    """The resource with our finalizer; None where it has gone. Raises Clash."""
    if is_held(found):
        return found
    return _set(api, key, found, [*(found["metadata"].get("finalizers") or ()), FINALIZER])


def let_go(api: ApiServer, key: Key, found: Object | None) -> None:
    """Take our finalizer off. Raises Clash."""
    if found is not None and is_held(found):
        _set(api, key, found, [each for each in found["metadata"]["finalizers"] if each != FINALIZER])


def _set(api: ApiServer, key: Key, found: Object, finalizers: list[str]) -> Object | None:
    # A merge patch replaces the list: with the version, nobody else's finalizer is lost or brought back.
    version = found["metadata"]["resourceVersion"]
    return api.patch(key, {"metadata": {"finalizers": finalizers, "resourceVersion": version}})
