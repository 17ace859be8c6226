"""Fetching a key of a ConfigMap: from the cluster, or from a folder of the same shape outside one."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import Any

from qtasks.circuits.sources import nearest
from qtasks.circuits.sources.messages import Fetched, Request
from qtasks.cluster import Cluster, forbidden
from qtasks.errors import Forbidden, InvalidInput, NotFound, Unavailable

_NAME = re.compile(r"(?!.*\.\.)[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_KEY = re.compile(r"(?!\.\.|\.$)[-._a-zA-Z0-9]{1,253}")


def fetch_key(request: Request) -> Fetched:
    """The value of `target["key"]` of ConfigMap `target["name"]` in the job's namespace, from `target["folder"]`, or
    from the Kubernetes API when that is empty.

    Raises NotFound (`ConfigMapNotFound`, `ConfigMapKeyNotFound`), Forbidden (`SourceForbidden`), InvalidInput
    (`InvalidSource`, `TooLarge`) or Unavailable (`SourceUnreachable`).
    """
    namespace, name, key = (request.target[part] for part in ("namespace", "name", "key"))
    if not _NAME.fullmatch(namespace) or not _NAME.fullmatch(name):
        raise InvalidInput(f"{request.shown[:200]} is not the name of a ConfigMap.", reason="InvalidSource")
    if not _KEY.fullmatch(key):
        raise InvalidInput(f"{key[:80]!r} is not a key of a ConfigMap.", reason="InvalidSource")
    folder = request.target["folder"]
    data = _from_folder(Path(folder), request) if folder else _from_cluster(request)
    if len(data) > request.max_bytes:
        raise InvalidInput(
            f"{request.shown}, key {key}, is longer than {request.max_bytes:,} bytes, the most that is taken.",
            reason="TooLarge",
        )
    return Fetched(data, f"configmap:{namespace}/{name}/{key}")


def _from_folder(folder: Path, request: Request) -> bytes:
    key = request.target["key"]
    home = folder / request.target["namespace"] / request.target["name"]
    try:
        if not home.is_dir():
            raise _no_config_map(request, f"It is a folder: {home}.")
        # Kubernetes mounts each key as a link to a file in a hidden folder beside it; no link may lead further.
        path = (home / key).resolve()
        if not path.exists() or not path.is_relative_to(home.resolve()):
            raise _no_key(request, [entry.name for entry in sorted(home.iterdir()) if _KEY.fullmatch(entry.name)])
        if not path.is_file():  # opening a named pipe would wait for whoever writes to it
            raise InvalidInput(f"{request.shown}, key {key}, is not a file.", reason="InvalidSource")
        with path.open("rb") as file:
            return file.read(request.max_bytes + 1)
    except OSError as error:
        text = f"{request.shown}, key {key}, cannot be read: {error.strerror}."
        if isinstance(error, PermissionError):
            raise Forbidden(text, reason="SourceForbidden", hint="Give the worker's user read access to it.") from None
        raise Unavailable(text, reason="SourceUnreachable") from None


def _from_cluster(request: Request) -> bytes:
    found = _ask(request)
    key = request.target["key"]
    plain, binary = found.get("data") or {}, found.get("binaryData") or {}
    if key in plain:
        return str(plain[key]).encode()
    if key not in binary:
        raise _no_key(request, sorted([*plain, *binary]))
    try:
        return base64.b64decode(binary[key], validate=True)
    except (binascii.Error, TypeError):
        raise InvalidInput(f"{request.shown}, key {key}, is not base64.", reason="InvalidSource") from None


def _ask(request: Request) -> dict[str, Any]:
    """The ConfigMap as the API server has it."""
    target = request.target
    with Cluster(seconds=request.seconds, reason="SourceUnreachable") as cluster:
        answer = cluster.read("ConfigMap", namespace=target["namespace"], name=target["name"])
        if answer.status == 404:
            how = f"kubectl -n {target['namespace']} create configmap {target['name']} --from-file={target['key']}"
            raise _no_config_map(request, how)
        if answer.status in (401, 403):
            raise forbidden(
                answer.status, "read", request.shown, verbs=("get",), kinds="configmaps", reason="SourceForbidden"
            )
        if answer.status != 200:
            raise cluster.unavailable(f"it answers HTTP {answer.status}")
    return answer.document


def _no_config_map(request: Request, hint: str) -> NotFound:
    return NotFound(f"There is no {request.shown}.", reason="ConfigMapNotFound", hint=f"Create it. {hint}")


def _no_key(request: Request, keys: list[str]) -> NotFound:
    key = request.target["key"]
    return NotFound(
        f"{request.shown} has no key {key!r}.",
        reason="ConfigMapKeyNotFound",
        hint=nearest.hint(key, keys) or "It has no keys.",
    )
