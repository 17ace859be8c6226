"""What a benchmark gives: a figure, beside its peer's and its target, with the rounds that it comes from. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report."""

    benchmark: str
    what: str
    unit: str
    value: float
    peer: float | None = None
    peer_is: str = ""
    ratio: float | None = None
    target: str = ""
    met: bool | None = None
    """None: for information, without a target."""
    rounds: Sequence[Sequence[float]] = field(default=())
    """As measured: (peer, qtasks) pairs, or single values."""


def compared(
    benchmark: str,
    what: str,
    unit: str,
    rounds: Sequence[tuple[float, float]],
    *,
    peer_is: str,
    least: float | None = None,
    most: float | None = None,
) -> Figure:
    """Medians of (peer, qtasks) rounds, and the median of their ratios, pair by pair, against a bound on it."""
    ratio = median(ours / peer for peer, ours in rounds)
    target, met = "", None
    if least is not None:
        target, met = f"≥ {least:g} ×", ratio >= least
    if most is not None:
        target, met = f"≤ {most:g} ×", ratio <= most
    peer, ours = (median(column) for column in zip(*rounds, strict=True))
    return Figure(benchmark, what, unit, ours, peer, peer_is, ratio, target, met, rounds)


def bounded(benchmark: str, what: str, unit: str, value: float, *, most: float | None, of: Sequence[float]) -> Figure:
    """A figure `of` many, against a bound, without a peer."""
    target = "" if most is None else f"≤ {most:g} {unit}"
    met = None if most is None else value <= most
    return Figure(benchmark, what, unit, value, target=target, met=met, rounds=[(one,) for one in of])


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of `values` do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-round(share * 100) * len(ordered) // 100) - 1))]
