"""What came of a call, so that two of them can be compared: an answer, or an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from qtasks.client import Client, Job
from qtasks.errors import QTasksError
from qtasks.results import JobResult

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
_MADE_NAME = re.compile(r"job-[0-9a-f]{12}")


def outcome(call: Callable[[], Any]) -> Any:
    """An answer as plain data, or the error's class, reason, message, hint and details."""
    try:
        return ("answer", plain(call()))
    except QTasksError as error:
        return (type(error).__name__, error.reason, error.message, error.hint, error.details)


def plain(value: Any) -> Any:
    if isinstance(value, Job):
        return ("Job", value.job_id(), value.name, value.namespace, value.created)
    if isinstance(value, JobResult):
        return ("JobResult", value.to_dict())
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    assert value is None or type(value).__name__ in ("str", "int", "float", "bool", "Decimal", "Phase"), repr(value)
    return (type(value).__name__, value)


def alike(found: Any, client: Client) -> Any:
    """An outcome of a call that changes something, without what is another each time: ids, times, the namespace."""
    text = _MADE_NAME.sub("(name)", _TIME.sub("(time)", _ID.sub("(id)", repr(found))))
    return text.replace(f"'{client.namespace}'", "(namespace)").replace(f" {client.namespace}", " (namespace)")
