"""A result in a ConfigMap: outside a cluster, a folder of the same shape, `<folder>/<namespace>/<name>/results`."""

from __future__ import annotations

import re
from pathlib import Path

from qtasks.errors import InvalidInput
from qtasks.results.outputs import files
from qtasks.results.outputs.protocol import Delivery

KEY = "results"
MAX_BYTES = 2**20  # Kubernetes' limit for a ConfigMap, all its keys together

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAMESPACE = re.compile(_LABEL)
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")


class ConfigMapOutput:
    """An Output that writes the key `results` of the ConfigMap named by the output's `location`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(self, job: Delivery, rendered: bytes) -> str:
        """Write it, and give the path of the file.

        Names are DNS-1123, and no symbolic link below the folder is followed, so nothing is written outside it.
        Raises InvalidInput (`InvalidOutput`, `ConfigMapTooLarge`), Forbidden (`OutputForbidden`) or Unavailable
        (`OutputUnavailable`).
        """
        check_names(job.namespace, job.location, "a ConfigMap")
        if len(rendered) > MAX_BYTES:
            raise too_large(job, len(rendered))
        where = self._folder / job.namespace / job.location / KEY
        try:
            with files.folder(self._folder, (job.namespace, job.location)) as config_map:
                others = files.sizes(config_map, but=KEY)
                if others + len(rendered) > MAX_BYTES:
                    raise too_large(job, len(rendered), others)
                files.write(config_map, KEY, rendered)
        except OSError as error:
            raise files.meaning(error, where, hint="A ConfigMap here is a plain folder, not a link.") from None
        return f"ConfigMap {job.namespace}/{job.location}, key {KEY} ({where})"


def check_names(namespace: str, name: str, kind: str) -> None:
    """Raises InvalidInput (`InvalidOutput`) for what Kubernetes would not take for a namespace, and for a name."""
    if not _NAMESPACE.fullmatch(namespace):
        raise _invalid(f"{namespace[:80]!r} is not the name of a namespace")
    if not _NAME.fullmatch(name) or len(name) > 253:
        raise _invalid(f"{name[:80]!r} is not the name of {kind}")


def too_large(job: Delivery, size: int, others: int = 0) -> InvalidInput:
    """The refusal of a result that does not fit, beside `others` bytes of other keys."""
    beside = f" beside {others:,} bytes of other keys" if others else ""
    return InvalidInput(
        f"The result has {size:,} bytes; a ConfigMap holds {MAX_BYTES:,} in all{beside}.",
        reason="ConfigMapTooLarge",
        hint="Use an output of type pvc, s3 or gcs, or format csv; the queue keeps its own copy: "
        f"qtasks results {job.job_id}",
    )


def _invalid(what: str) -> InvalidInput:
    return InvalidInput(
        f"{what}.",
        reason="InvalidOutput",
        hint="Set output.location to lower-case letters, digits, `-` and `.`, such as my-results.",
    )
