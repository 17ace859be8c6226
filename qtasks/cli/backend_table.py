"""The table of `qtasks get backends`. Pure: documents in, text out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from qtasks.cli import ages
from qtasks.cli.job_table import NOTHING
from qtasks.cli.table import first_that_fits, table

if TYPE_CHECKING:
    from rich.text import Text

Document = Mapping[str, Any]
Column = tuple[str, Callable[[Document, datetime], str]]

_LEAST = {"NAME": 14, "TYPE": 6, "ACCOUNT": 8, "MESSAGE": 16}
UNKNOWN = "unknown"


def short_device(name: str) -> str:
    """A device's name; of an ARN what tells it from others: `eu-north-1/iqm/Garnet`."""
    if not name.startswith("arn:"):
        return name
    region, _, device = name.split(":", 3)[-1].partition(":")
    return "/".join([*([region] if region not in ("", "*") else []), *device.split("/")[-2:]])


def service(document: Document) -> str:
    """Whether the device is in service."""
    return {True: "up", False: "down"}.get(document["status"]["available"], UNKNOWN)


def wait(document: Document) -> str:
    seconds = document["status"]["waitSeconds"]
    return UNKNOWN if seconds is None else ages.human(seconds)


def error(document: Document) -> str:
    """The mean error of its two-qubit gates, in per cent."""
    mean = document["status"]["meanError"]
    return NOTHING if mean is None else f"{100 * mean:.2g}%"


def age(document: Document, now: datetime) -> str:
    """How old the figures of its queue are; an old one says so."""
    status = document["status"]
    if status["queueAt"] is None:
        return "stale" if status["stale"] else NOTHING
    return f"{ages.age(status['queueAt'], now)}{' (stale)' if status['stale'] else ''}"


def _number(value: int | None) -> str:
    return NOTHING if value is None else str(value)


_NAME: Column = ("NAME", lambda device, now: device["name"])
_SHORT: Column = ("NAME", lambda device, now: short_device(device["name"]))
_SHORTEST: Column = ("NAME", lambda device, now: "/".join(device["name"].split("/")[-2:]))
_TYPE: Column = ("TYPE", lambda device, now: device["type"])
_REST: tuple[Column, ...] = (
    ("ACCOUNT", lambda device, now: device["account"] or NOTHING),
    ("QUBITS", lambda device, now: _number(device["status"]["qubits"])),
    ("STATE", lambda device, now: service(device)),
    ("PENDING", lambda device, now: _number(device["status"]["pendingJobs"])),
    ("WAIT", lambda device, now: wait(device)),
    ("ERROR", lambda device, now: error(device)),
    ("AGE", lambda device, now: age(device, now)),
)
_WIDE: tuple[Column, ...] = (
    ("REGISTERED-AS", lambda device, now: ",".join(device["registeredAs"]) or NOTHING),
    ("WAIT-IS", lambda device, now: device["status"]["waitIs"]),
    ("CALIBRATION", lambda device, now: (device["status"]["calibration"] or NOTHING)[:12]),
    ("MESSAGE", lambda device, now: device["status"]["message"] or NOTHING),
)
_LAYOUTS: tuple[tuple[Column, ...], ...] = (
    (_NAME, _TYPE, *_REST),
    (_SHORT, _TYPE, *_REST),
    (_SHORT, *_REST),
    (_SHORTEST, *_REST),
)


def backend_table(
    documents: Sequence[Document], *, now: datetime, width: int | None = None, wide: bool = False
) -> Text:
    """One line per device and account under a line of titles; ARNs are shortened where `width` asks for it."""

    def drawn(columns: tuple[Column, ...]) -> Text:
        shown = (*columns, *(_WIDE if wide else ()))
        rows = [[cell(document, now) for _, cell in shown] for document in documents]
        # An ARN is cut only when nothing else helps: all begin alike.
        least = _LEAST if columns is _LAYOUTS[-1] else {key: value for key, value in _LEAST.items() if key != "NAME"}
        return table([title for title, _ in shown], rows, width=width, least=least, close=True)

    return first_that_fits([partial(drawn, columns) for columns in _LAYOUTS], width)
