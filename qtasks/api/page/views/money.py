"""Budgets with what is spent of them, accounts with what is left. Pure: documents in, what the templates show out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from qtasks.api.page.views import words
from qtasks.api.page.views.bars import Bar, bar
from qtasks.resources import Money

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Measure:
    """One limit of a budget, in dollars or quantum time, and how it stands."""

    title: str
    limit: str
    spent: str
    reserved: str
    left: str
    share: str
    bar: Bar
    over: bool


@dataclass(frozen=True, slots=True)
class Budget:
    name: str
    namespace: str
    selector: str
    period: str
    ends: words.Moment | None
    measures: tuple[Measure, ...]
    thresholds: tuple[str, ...]
    crossed: tuple[str, ...]


def budget(document: Document, now: datetime) -> Budget:
    metadata, spec, status = document["metadata"], document["spec"], document["status"]
    zone = status["period"].get("timeZone", "UTC")
    plain = zone == "UTC" or spec["period"] == "total"
    return Budget(
        name=metadata["name"],
        namespace=metadata["namespace"],
        selector=_selector(document),
        period=spec["period"] if plain else f"{spec['period']} ({zone})",
        ends=words.moment(status["period"]["end"], now),
        measures=tuple(_measures(spec, status)),
        thresholds=tuple(f"{one:g}%" for one in spec.get("alertThresholds", ())),
        crossed=tuple(f"{one:g}%" for one in status["thresholdsCrossed"]),
    )


def _measures(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Iterator[Measure]:
    thresholds = tuple(spec.get("alertThresholds", ()))
    if spec.get("limit") is not None:
        limit = str(Money(spec["limit"]))
        spent, reserved, most = (_dollars(text) for text in (status["spent"], status["reserved"], limit))
        texts = limit, status["spent"], status["reserved"], status["remaining"]
        yield _measure("Money", texts, spent, reserved, most, thresholds)
    if spec.get("quantumSeconds") is not None:
        used, most = status["quantumSeconds"], float(spec["quantumSeconds"])
        figures = most, used["used"], used["reserved"], used["remaining"]
        limit, spent_text, reserved_text, left = (words.quantum(figure) for figure in figures)
        texts = limit, spent_text, reserved_text, left
        yield _measure("Quantum time", texts, used["used"], used["reserved"], most, thresholds)


def _measure(
    title: str,
    texts: tuple[str, str, str, str],
    spent: float,
    reserved: float,
    limit: float,
    thresholds: tuple[float, ...],
) -> Measure:
    share = (spent + reserved) / limit if limit else 1.0
    drawn = bar(spent, reserved, limit, thresholds)
    return Measure(title, *texts, words.percent(share), drawn, over=spent + reserved >= limit)


def _dollars(text: str) -> float:
    return float(text.replace("$", "").replace(",", ""))


def _selector(document: Document) -> str:
    """Which jobs a budget is for, in words."""
    chosen = document["spec"].get("selector", {})
    namespaces = chosen.get("namespaces") or [document["metadata"]["namespace"]]
    where = "all namespaces" if "*" in namespaces else ", ".join(namespaces)
    parts = [f"jobs of {where}"]
    if chosen.get("costCenters"):
        parts.append(f"cost centre {' or '.join(chosen['costCenters'])}")
    parts += [f"{key}={value}" for key, value in chosen.get("labels", {}).items()]
    return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    provider: str
    plan: str
    namespaces: str
    used: str
    reserved: str
    left: str
    limit: str
    share: str
    bar: Bar | None
    """None where there is no limit."""
    frees: words.Moment | None
    paused: words.Moment | None
    polled: words.Moment | None
    waiting: int
    open: int
    reason: str
    message: str


def account(document: Document, now: datetime) -> Account:
    status = document["status"]
    limit, left = status["limit"], status["remaining"]
    days = f" in {status['days']} days" if status["days"] else ""
    return Account(
        name=document["name"],
        provider=document["provider"],
        plan=document["plan"],
        namespaces="all namespaces" if document["namespaces"] is None else ", ".join(document["namespaces"]),
        used=words.quantum(status["used"]),
        reserved=words.quantum(status["reserved"]),
        left="no limit" if left is None else words.quantum(left),
        limit="no limit" if limit is None else f"{words.quantum(limit)}{days}",
        share="" if not limit or left is None else words.percent(max(0.0, left) / limit),
        bar=None if limit is None else bar(status["used"], status["reserved"], limit),
        frees=words.moment(status["freesAt"], now),
        paused=words.moment(status["pausedUntil"], now),
        polled=words.moment(status["polledAt"], now),
        waiting=status["jobs"]["waiting"],
        open=status["jobs"]["open"],
        reason=status["reason"] or "",
        message=status["message"] or "",
    )
