"""A line of log: what it says, of what it is about, and what it does not."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from typing import Any

from qtasks.telemetry import logs
from qtasks.telemetry.lines import Json, Text
from qtasks.telemetry.redaction import Redaction


def _record(message: str, *arguments: object, level: int = logging.INFO, **extra: Any) -> logging.LogRecord:
    return logging.getLogger("qtasks.test").makeRecord(
        "qtasks.test", level, __file__, 1, message, arguments, extra.pop("exc_info", None), extra=extra
    )


def _json(record: logging.LogRecord, about: Mapping[str, Any] | None = None) -> dict[str, Any]:
    line = Json("worker", lambda: about or {}, Redaction()).format(record)
    assert "\n" not in line
    found: dict[str, Any] = json.loads(line)
    return found


def _text(record: logging.LogRecord, about: Mapping[str, Any] | None = None, *, colours: bool = False) -> str:
    return Text("worker", lambda: about or {}, Redaction(), colours=colours).format(record)


def test_a_json_line_says_when_what_who_and_about_what() -> None:
    record = _record("%s took %d ms", "execution", 12, seconds=0.012)
    record.created = 1_700_000_000.25
    found = _json(record, {"job_id": "j", "job": "bell", "attempt": 2})
    assert list(found)[:6] == ["time", "level", "logger", "message", "component", "process"]
    assert found["time"] == "2023-11-14T22:13:20.250Z"
    assert (found["level"], found["logger"], found["message"]) == ("info", "qtasks.test", "execution took 12 ms")
    assert (found["job"], found["attempt"], found["seconds"]) == ("bell", 2, 0.012)


def test_an_exception_is_one_field_of_one_line_and_has_no_secret() -> None:
    try:
        raise ValueError("redis://:hunter2@host/0 is away")
    except ValueError:
        record = _record("it failed", exc_info=sys.exc_info(), level=logging.ERROR)
    found = _json(record)
    assert found["exception"].startswith("Traceback") and "hunter2" not in json.dumps(found)
    assert "hunter2" not in _text(record)


def test_what_is_no_json_becomes_text_and_long_messages_are_cut() -> None:
    found = _json(_record("x" * 100_000, given=object(), many={1, 2}))
    assert "object object" in found["given"] and sorted(found["many"]) == [1, 2]
    assert len(found["message"]) < 17_000 and "letters" in found["message"]


def test_a_text_line_cannot_be_forged_and_is_coloured_only_where_that_was_asked() -> None:
    record = _record("GET %s", "/\n2026-01-01 forged\x1b[31m", level=logging.WARNING)
    line = _text(record, {"job": "bell", "namespace": "default", "worker": "w"})
    assert "\n" not in line and "\x1b" not in line and line.endswith("[job=bell namespace=default]")
    assert "\x1b[33mwarning" in _text(record, colours=True)


def test_what_lines_are_about_nests_and_ends_with_the_block() -> None:
    with logs.about(job_id="a", stage="validation", queue=None):
        with logs.about(stage="execution"):
            assert logs.context() == {"job_id": "a", "stage": "execution"}
        assert logs.context() == {"job_id": "a", "stage": "validation"}
    assert logs.context() == {}
