"""From a location as a user writes it to the place of one result: its fields are filled in. Pure."""

from __future__ import annotations

import re
from dataclasses import replace

from qtasks.errors import InvalidInput
from qtasks.results.outputs.protocol import Delivery

_FIELD = re.compile(r"\{([^{}]*)\}")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+|^\.+")
_FILE = re.compile(r"\.(json|csv|qpy|pickle|pkl)$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def filled(job: Delivery) -> Delivery:
    """The delivery with `{namespace}`, `{name}`, `{job_id}`, `{format}` and `{date}` in location and path replaced.

    A value brings no slash, no blank and no dot at its start with it. Raises InvalidInput (`InvalidOutput`) for any
    other field.
    """
    path = None if job.path is None else _fill(job.path, job)
    return replace(job, location=_fill(job.location, job), path=path)


def file_name(job: Delivery) -> str:
    """What a result is called where nothing else is said."""
    return f"{job.job_id}.{job.format}"


def bucket_and_key(location: str, job: Delivery, template: str) -> tuple[str, str]:
    """Bucket and object of `scheme://bucket/…`, once it is filled in.

    The last segment is the object's name where it has a field in its `template` or ends as a file does (`.json`);
    otherwise all of it is a folder. Raises InvalidInput (`InvalidOutput`).
    """
    _, _, rest = location.partition("://")
    bucket, _, key = rest.partition("/")
    last = template.rpartition("/")[2] if "/" in template.partition("://")[2] else ""
    if not key or key.endswith("/"):
        key += file_name(job)
    elif not _FIELD.search(last) and not _FILE.search(last):
        key += f"/{file_name(job)}"
    if len(key.encode()) > 1024 or _CONTROL.search(key) or any(part in ("", ".", "..") for part in key.split("/")):
        raise InvalidInput(
            f"{key[:80]!r} is not the name of an object.",
            reason="InvalidOutput",
            hint="Use at most 1024 bytes, no `//`, and no segment that is `.` or `..`.",
        )
    return bucket, key


def _fill(text: str, job: Delivery) -> str:
    known = {
        "namespace": job.namespace,
        "name": job.name,
        "job_id": job.job_id,
        "format": job.format,
        "date": job.date,
    }

    def value(found: re.Match[str]) -> str:
        if found[1] not in known:
            raise InvalidInput(
                f"{{{found[1][:40]}}} cannot be filled in.",
                reason="InvalidOutput",
                hint=f"Use {', '.join(f'{{{name}}}' for name in known)}.",
            )
        return _UNSAFE.sub("-", known[found[1]])

    return _FIELD.sub(value, text)
