"""How a log record is written: as one line of JSON, or for a person to read."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from qtasks.telemetry.redaction import Redaction

Context = Callable[[], Mapping[str, Any]]
"""What a line is about: the fields that hold where it is written."""

_LONGEST = 16_000
"""Letters of a message or a traceback; the middle of a longer one is left out. Collectors cut what is longer."""
_COLOURS = {logging.DEBUG: "2", logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "1;31"}
# What a text line says of its context; the rest is for machines.
_SHOWN = ("job", "jobs", "job_id", "attempt", "namespace", "stage", "account", "request_id")
# What libraries hang on their records for formatters of their own.
_NOT_OURS = frozenset({"data", "color_message", "taskName"})


def moment(record: logging.LogRecord) -> str:
    """When a record was made: RFC 3339, UTC, in milliseconds."""
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def bounded(text: str) -> str:
    """`text`, or its beginning and its end."""
    if len(text) <= _LONGEST:
        return text
    half = _LONGEST // 2
    return f"{text[:half]} … {len(text) - 2 * half} letters … {text[-half:]}"


class Json(JsonFormatter):
    """One line of JSON: `time`, `level`, `logger`, `message`, `component`, `process`, then what it is about, then what
    the record itself adds, and `exception`."""

    def __init__(self, component: str, context: Context, redaction: Redaction) -> None:
        super().__init__(reserved_attrs=[*RESERVED_ATTRS, *_NOT_OURS], json_ensure_ascii=False)
        self._component, self._context, self._redaction = component, context, redaction

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        traces = {"exception": message_dict.pop("exc_info", None), "stack": message_dict.pop("stack_info", None)}
        log_data.update(
            time=moment(record),
            level=record.levelname.lower(),
            logger=record.name,
            message=bounded(self._redaction.text(record.getMessage())),
            component=self._component,
            process=record.process,
        )
        log_data.update(self._context())
        added: dict[str, Any] = {}
        super().add_fields(added, record, message_dict)
        added.pop("message", None)
        log_data.update((name, self._redaction.named(name, value)) for name, value in added.items())
        log_data.update((name, bounded(self._redaction.text(text))) for name, text in traces.items() if text)


class Text(logging.Formatter):
    """A line for a person, and the lines of a traceback; the level coloured where `colours`."""

    def __init__(self, component: str, context: Context, redaction: Redaction, *, colours: bool) -> None:
        super().__init__()
        self._component, self._context, self._redaction, self._colours = component, context, redaction, colours

    def format(self, record: logging.LogRecord) -> str:
        level = f"{record.levelname.lower():<8}"
        if self._colours and record.levelno in _COLOURS:
            level = f"\x1b[{_COLOURS[record.levelno]}m{level}\x1b[0m"
        context = self._context()
        about = " ".join(f"{name}={context[name]}" for name in _SHOWN if name in context)
        message = _printable(record.getMessage())
        lines = [f"{moment(record)} {level} {self._component}/{record.process} {record.name}: {message}"]
        lines[0] += f" [{about}]" if about else ""
        if record.exc_info:
            lines.append(self.formatException(record.exc_info))
        if record.stack_info:
            lines.append(self.formatStack(record.stack_info))
        return bounded(self._redaction.text("\n".join(lines)))


def _printable(message: str) -> str:
    """A message that can neither pass for several lines nor speak to the terminal, whoever worded a part of it."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in message)
