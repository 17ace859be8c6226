"""The table of `qtasks get budgets`. Pure: documents in, text out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from qtasks.cli import ages
from qtasks.cli.account_table import quantum
from qtasks.cli.job_table import NOTHING
from qtasks.cli.table import first_that_fits, table

if TYPE_CHECKING:
    from rich.text import Text

Document = Mapping[str, Any]
Column = tuple[str, Callable[[Document, datetime], str]]

_BAR = 10
_LEAST = {"NAME": 10, "NAMESPACE": 8}


def spent_bar(document: Document, width: int = _BAR) -> str:
    """What is spent (█), reserved (▒) and left (░) of the limit that is nearer, and the share of what is spent and
    reserved: `███▒░░░░░░ 42%`. Some is never shown as none."""
    status = document["status"]
    percent = float(status["percent"])
    spent, reserved = _nearer(document)
    both = spent + reserved
    full = min(width, round(width * percent / 100))
    if 0 < percent < 100:
        full = min(max(full, 1), width - 1)
    solid = full if not reserved else round(full * spent / both)
    if spent and reserved and full > 1:
        solid = min(max(solid, 1), full - 1)
    return f"{'█' * solid}{'▒' * (full - solid)}{'░' * (width - full)} {_share(percent)}"


def _share(percent: float) -> str:
    """A share in whole per cent; neither some nor nearly all is rounded away."""
    if 0 < percent < 1:
        return "<1%"
    return ">99%" if 99 < percent < 100 else f"{percent:.0f}%"


def _nearer(document: Document) -> tuple[float, float]:
    """Spent and reserved, in the measure of the limit that is nearer."""
    spec, status = document["spec"], document["status"]
    measured = []
    if spec.get("limit") is not None:
        measured.append((_dollars(status["spent"]), _dollars(status["reserved"]), _dollars(str(spec["limit"]))))
    if spec.get("quantumSeconds") is not None:
        used = status["quantumSeconds"]
        measured.append((used["used"], used["reserved"], float(spec["quantumSeconds"])))
    nearest = max(measured, key=lambda one: (one[0] + one[1]) / one[2] if one[2] else float("inf"))
    return nearest[0], nearest[1]


def _dollars(text: str) -> float:
    return float(text.replace("$", ""))


def limit(document: Document) -> str:
    return _both(document, lambda: _written(document["spec"]["limit"]), document["spec"].get("quantumSeconds"))


def spent(document: Document) -> str:
    return _both(document, lambda: document["status"]["spent"], document["status"]["quantumSeconds"]["used"])


def reserved(document: Document) -> str:
    return _both(document, lambda: document["status"]["reserved"], document["status"]["quantumSeconds"]["reserved"])


def remaining(document: Document) -> str:
    left = document["status"]["quantumSeconds"].get("remaining")
    return _both(document, lambda: document["status"]["remaining"], left)


def _both(document: Document, money: Callable[[], str], seconds: float | None) -> str:
    """Money and quantum time, where there is a limit to each."""
    spec = document["spec"]
    parts = [money()] if spec.get("limit") is not None else []
    if spec.get("quantumSeconds") is not None and seconds is not None:
        parts.append(quantum(seconds) if seconds >= 0 else f"-{quantum(-seconds)}")
    return " + ".join(parts)


def _written(amount: Any) -> str:
    """A limit as amounts are written, whatever the file wrote."""
    from qtasks.resources import Money

    return str(Money(amount))


def period(document: Document) -> str:
    """The period, and its time zone where that is another than UTC."""
    spec = document["spec"]
    zone = spec.get("timeZone", "UTC")
    return spec["period"] if zone == "UTC" or spec["period"] == "total" else f"{spec['period']} ({zone})"


def crossed(document: Document) -> str:
    """The thresholds that were crossed in this period."""
    return ",".join(f"{one:g}%" for one in document["status"]["thresholdsCrossed"]) or NOTHING


def _turns(document: Document, now: datetime) -> str:
    end = document["status"]["period"]["end"]
    return "never" if end is None else f"in {ages.human((ages.when(end) - now).total_seconds())}"


_NAMESPACE: Column = ("NAMESPACE", lambda budget, now: budget["metadata"]["namespace"])
_NAME: Column = ("NAME", lambda budget, now: budget["metadata"]["name"])
_LIMIT: Column = ("LIMIT", lambda budget, now: limit(budget))
_SPENT: Column = ("SPENT", lambda budget, now: spent(budget))
_RESERVED: Column = ("RESERVED", lambda budget, now: reserved(budget))
_REMAINING: Column = ("REMAINING", lambda budget, now: remaining(budget))
_USED: Column = ("USED", lambda budget, now: spent_bar(budget))
_PERIOD: Column = ("PERIOD", lambda budget, now: period(budget))
_RESETS: Column = ("RESETS", lambda budget, now: _turns(budget, now))
_CROSSED: Column = ("CROSSED", lambda budget, now: crossed(budget))
_WIDE: tuple[Column, ...] = (
    ("THRESHOLDS", lambda budget, now: thresholds(budget)),
    ("SELECTOR", lambda budget, now: selector(budget)),
)
_LAYOUTS: tuple[tuple[Column, ...], ...] = (
    (_NAME, _LIMIT, _SPENT, _RESERVED, _REMAINING, _USED, _PERIOD, _RESETS, _CROSSED),
    (_NAME, _LIMIT, _SPENT, _RESERVED, _USED, _PERIOD, _RESETS, _CROSSED),
    (_NAME, _LIMIT, _SPENT, _RESERVED, _USED, _PERIOD, _RESETS),
)
"""What is left out where there is no room for it can be told from the rest, and stands in the description."""


def thresholds(document: Document) -> str:
    return ",".join(f"{one:g}%" for one in document["spec"].get("alertThresholds", ())) or NOTHING


def selector(document: Document) -> str:
    """Which jobs a budget is for, as `namespaces=a,b costCenters=physics team=vqe`."""
    chosen = document["spec"].get("selector", {})
    parts = [f"{key}={','.join(chosen[key])}" for key in ("namespaces", "costCenters") if chosen.get(key)]
    parts += [f"{key}={value}" for key, value in chosen.get("labels", {}).items()]
    return " ".join(parts) or f"namespaces={document['metadata']['namespace']}"


def budget_table(
    documents: Sequence[Document],
    *,
    now: datetime,
    width: int | None = None,
    wide: bool = False,
    namespaces: bool = False,
) -> Text:
    """One line per budget under a line of titles; fewer columns where `width` has no room for all."""

    def drawn(columns: tuple[Column, ...]) -> Text:
        shown = (*((_NAMESPACE,) if namespaces else ()), *columns, *(_WIDE if wide else ()))
        rows = [[cell(document, now) for _, cell in shown] for document in documents]
        return table([title for title, _ in shown], rows, width=width, least=_LEAST, close=True)

    return first_that_fits([partial(drawn, columns) for columns in _LAYOUTS], width)
