"""What a process says of itself: lines on stderr, as JSON for machines or as text for people, and what they are about.

`set_up` is called once, by every process of ours that serves; a library's user keeps the logging of their own program.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

# The command line imports this at every start: settings, and what formats lines, come where they are wanted.
if TYPE_CHECKING:
    from types import TracebackType

    from qtasks.settings import Settings

log = logging.getLogger(__name__)

_EMPTY: Mapping[str, Any] = {}
_about: ContextVar[Mapping[str, Any]] = ContextVar("qtasks_log_about", default=_EMPTY)
_structured = False

_QUIET = {
    # Each tells of its every step, which is nobody's news.
    "qiskit": logging.WARNING,
    "qiskit_ibm_runtime": logging.WARNING,
    "botocore": logging.WARNING,
    "boto3": logging.WARNING,
    "urllib3": logging.WARNING,
    "stevedore": logging.WARNING,
    "httpx": logging.WARNING,
    # Of messages, which are hints; the line of the stage that one led to says more.
    "celery.worker.strategy": logging.WARNING,
    "celery.app.trace": logging.WARNING,
    "celery.beat": logging.WARNING,
}


_WILFUL = ("qiskit_ibm_runtime",)
"""Libraries that, as they are imported, have their lines written by a handler of their own, past ours."""


@contextmanager
def about(**fields: Any) -> Iterator[None]:
    """Have every line that is written in the block say these fields too: `job_id`, `job`, `attempt`, `namespace`,
    `stage`, `queue`, `worker`, `request_id`, … A field that is None is left out."""
    token = _about.set({**_about.get(), **{name: value for name, value in fields.items() if value is not None}})
    try:
        yield
    finally:
        _about.reset(token)


def context() -> Mapping[str, Any]:
    """The fields of the lines that are written here."""
    return _about.get()


def structured(config: Settings | None = None) -> bool:
    """Whether lines are JSON: by QTASKS_LOG_FORMAT; `auto` is text on a terminal and JSON elsewhere."""
    from qtasks.settings import settings

    wanted = (config or settings()).log_format
    return wanted == "json" or (wanted == "auto" and not os.isatty(2))


def serving() -> bool:
    """Whether this process writes JSON lines: then even what ends it is told as one."""
    return _structured


def set_up(component: str, config: Settings | None = None, *, level: str | None = None) -> None:
    """Let this process log as the settings say. `component`: what it is, such as `worker` or `api`; `level` overrides
    QTASKS_LOG_LEVEL. May be called again, and holds in processes that are forked."""
    from qtasks.settings import settings
    from qtasks.telemetry.lines import Json, Text
    from qtasks.telemetry.redaction import Redaction

    global _structured
    config = config or settings()
    redaction = Redaction(known_secrets(config))
    handler = Whole()
    _structured = structured(config)
    if _structured:
        handler.setFormatter(Json(component, context, redaction))
    else:
        colours = os.isatty(2) and "NO_COLOR" not in os.environ
        handler.setFormatter(Text(component, context, redaction, colours=colours))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel((level or config.log_level).upper())
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(least, root.level) if root.level > logging.DEBUG else logging.NOTSET)
    logging.getLogger("qiskit").setLevel(max(logging.WARNING, root.level))
    for name in _WILFUL:
        logging.getLogger(name).__class__ = Tamed
    logging.captureWarnings(True)
    if _structured:
        sys.excepthook = _uncaught
        threading.excepthook = _uncaught_in_thread


def known_secrets(config: Settings) -> list[str]:
    """The secrets that the settings themselves hold."""
    from qtasks.telemetry.redaction import passwords

    found = passwords(config.database_url, config.broker_url, config.object_store_url, config.api_url)
    return found + ([config.api_token.get_secret_value()] if config.api_token is not None else [])


class Whole(logging.Handler):
    """Writes each line to stderr with one call, so that those of a worker's processes do not run into each other."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            data = (self.format(record) + "\n").encode("utf-8", "backslashreplace")
            while data:
                data = data[os.write(2, data) :]
        except OSError:
            # Whoever read has gone: nobody is left to be told.
            return
        except Exception:
            self.handleError(record)


class Tamed(logging.Logger):
    """The logger of a library, whose lines are written as all others are."""

    @property
    def propagate(self) -> bool:
        return True

    @propagate.setter
    def propagate(self, _: bool) -> None:
        """It stays as it is."""

    def addHandler(self, hdlr: logging.Handler) -> None:  # noqa: N802 - logging's name
        """There is one handler, the root's."""


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    log.critical("the process ends: %s", kind.__name__, exc_info=(kind, error, trace))


def _uncaught_in_thread(hook: threading.ExceptHookArgs) -> None:
    if hook.exc_value is not None and not issubclass(hook.exc_type, SystemExit):
        trace = (hook.exc_type, hook.exc_value, hook.exc_traceback)
        log.critical("a thread ends: %s", hook.exc_type.__name__, exc_info=trace)
