"""Results as charts of text, for `qtasks plot` in a terminal. Pure: results in, text out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from qtasks.errors import InvalidInput
from qtasks.results import EstimatorPubResult, JobResult
from qtasks.results.histogram import bar, shorten

COLOURS = ("blue", "yellow", "cyan", "magenta", "green", "red", "bright_blue", "bright_yellow")
"""Of the jobs of a comparison, which are also told apart by their names."""
_WIDEST = 100
_MOST_CHARTS = 16
_NO_COUNTS = "no counts: the circuit measured nothing"


@dataclass(frozen=True, slots=True)
class Shares:
    """What shares of their shots jobs had for each outcome that is shown, and what the others come to."""

    outcomes: Sequence[str]
    counts: Sequence[Mapping[str, int]]
    """Of each job."""
    others: int
    """How many outcomes are not shown."""

    def share(self, job: int, outcome: str) -> float:
        shots = sum(self.counts[job].values())
        return self.counts[job].get(outcome, 0) / shots if shots else 0.0

    def rest(self, job: int) -> float:
        """The share of all that is not shown."""
        return max(0.0, 1.0 - sum(self.share(job, outcome) for outcome in self.outcomes)) if self.counts[job] else 0.0


def shares(counts: Sequence[Mapping[str, int]], rows: int) -> Shares:
    """The `rows` outcomes that are most frequent in any of the jobs, sorted by outcome where these are all."""
    known = sorted({outcome for one in counts for outcome in one})
    everything = Shares(known, counts, 0)
    if len(known) <= rows:
        return everything
    most = sorted(
        known, key=lambda outcome: (-max(everything.share(job, outcome) for job in range(len(counts))), outcome)
    )
    return Shares(most[:rows], counts, len(known) - rows)


@dataclass(frozen=True, slots=True)
class Chart:
    """What stands in one chart: of each job the counts of one circuit, or the expectation values of one PUB."""

    title: str
    names: Sequence[str]
    counts: Sequence[Mapping[str, int]] = ()
    values: Sequence[EstimatorPubResult] = ()


def compared(results: Sequence[tuple[str, JobResult]]) -> list[Chart]:
    """A chart for each PUB, and for each point of one that has a shape, of all jobs that have it. Raises InvalidInput
    (`NotComparable`) for jobs of different programs."""
    if len({result.program for _, result in results}) > 1:
        raise InvalidInput(
            "Counts and expectation values do not go into one picture.",
            reason="NotComparable",
            hint="Plot jobs of one program together.",
        )
    several = max(len(result.pubs) for _, result in results) > 1
    counts: dict[str, list[tuple[str, Mapping[str, int]]]] = {}
    values: dict[str, list[tuple[str, EstimatorPubResult]]] = {}
    for name, result in results:
        for number, pub in enumerate(result.pubs):
            title = f"PUB {number}" if several else ""
            if isinstance(pub, EstimatorPubResult):
                values.setdefault(title, []).append((name, pub))
                continue
            for point, found in pub.each():
                which = f"point [{','.join(map(str, point))}]" if point else ""
                counts.setdefault(", ".join(filter(None, (title, which))), []).append((name, found))
    return [
        *(
            Chart(title, [name for name, _ in found], counts=[one for _, one in found])
            for title, found in counts.items()
        ),
        *(
            Chart(title, [name for name, _ in found], values=[one for _, one in found])
            for title, found in values.items()
        ),
    ]


def charts(results: Sequence[tuple[str, JobResult]], *, width: int, rows: int, chosen: bool = False) -> Text:
    """The charts below each other, `width` columns wide at most where that can be, of `rows` outcomes or so; exactly so
    many when that was `chosen`."""
    drawn = compared(results)
    lines: list[Text] = []
    for chart in drawn[:_MOST_CHARTS]:
        if chart.title:
            lines.append(Text(f"{chart.title[0].upper()}{chart.title[1:]}:", style="bold"))
        if chart.counts:
            found = shares(chart.counts, rows)
            # One outcome more is no longer than the line that would stand for it.
            if found.others == 1 and not chosen:
                found = shares(chart.counts, rows + 1)
            lines += _bars(chart.names, found, min(width, _WIDEST))
        else:
            lines += _values(list(zip(chart.names, chart.values, strict=True)), min(width, _WIDEST))
    if len(drawn) > _MOST_CHARTS:
        lines.append(Text(f"… {len(drawn) - _MOST_CHARTS} more; `--format json` has them all."))
    return Text("\n").join(lines)


def _bars(names: Sequence[str], found: Shares, width: int) -> Iterator[Text]:
    """A line for each outcome and job: the bar stands for the share, the longest for the largest one."""
    if not any(found.counts):
        yield Text(_NO_COUNTS)
        return
    several = len(names) > 1
    jobs = [shorten(name, 24) for name in names] if several else [""]
    labels = [shorten(outcome, max(9, width // 3)) for outcome in found.outcomes]
    rest = f"{found.others} more" if found.others else ""
    label_width = max(map(cell_len, [*labels, rest]))
    job_width = max(map(cell_len, jobs)) + 2 if several else 0
    count_width = max(len(str(sum(counts.values()))) for counts in found.counts)
    room = max(4, width - label_width - 2 - job_width - 2 - count_width - len(" 100.0%"))
    every = range(len(names))
    largest = max(found.share(job, outcome) for outcome in found.outcomes for job in every) or 1.0

    def line(label: str, job: int, count: int, share: float, style: str) -> Text:
        lead = f"{'' if job else label:>{label_width}}  {jobs[job]:<{job_width}}"
        drawn = bar(min(1.0, share / largest), room)
        return Text.assemble(lead, (drawn, style), f"  {count:>{count_width}} {share:6.1%}")

    for outcome, label in zip(found.outcomes, labels, strict=True):
        for job in every:
            count = found.counts[job].get(outcome, 0)
            yield line(label, job, count, found.share(job, outcome), COLOURS[job] if several else "")
    if found.others:
        for job in every:
            share = found.rest(job)
            yield line(rest, job, round(share * sum(found.counts[job].values())), share, "dim")


def _values(pubs: Sequence[tuple[str, EstimatorPubResult]], width: int) -> Iterator[Text]:
    """A line for each expectation value: where it lies between the least and the largest, with its standard error."""
    points = [(name, label, ev, std) for name, pub in pubs for label, ev, std in points_of(pub)]
    several = len(pubs) > 1
    names = [shorten(f"{name} {label}".strip() if several else label, max(9, width // 3)) for name, label, *_ in points]
    texts = [f"{_figure(ev)} ± {_figure(std)}" if std == std else _figure(ev) for _, _, ev, std in points]
    name_width, text_width = max(map(cell_len, names), default=0), max(map(cell_len, texts), default=0)
    room = max(8, width - name_width - text_width - 4)
    known = [end for _, _, ev, std in points if math.isfinite(ev) for end in (ev - _error(std), ev + _error(std))]
    # Zero is where a sign changes, so it is always there.
    low, high = min([0.0, *known]), max([0.0, *known])
    span = (high - low) or 1.0

    def place(value: float) -> int:
        return min(room - 1, max(0, round((value - low) / span * (room - 1))))

    styles = {name: COLOURS[number % len(COLOURS)] for number, (name, _) in enumerate(pubs)} if several else {}
    for (job, _, ev, std), name, text in zip(points, names, texts, strict=True):
        cells = [" "] * room
        cells[place(0.0)] = "┊"
        if math.isfinite(ev):
            first, last = place(ev - _error(std)), place(ev + _error(std))
            cells[first : last + 1] = "─" * (last - first + 1)
            if last - first >= 2:
                cells[first], cells[last] = "├", "┤"
            cells[place(ev)] = "●"
        lead = " " * (name_width - cell_len(name)) + name
        yield Text.assemble(f"{lead}  ", ("".join(cells), styles.get(job, "")), f"  {text:>{text_width}}")
    yield Text(" " * (name_width + 2) + _scale(low, high, place(0.0), room), style="dim")


def points_of(pub: EstimatorPubResult) -> Iterator[tuple[str, float, float]]:
    """The values of an estimator in order: their place in its shape, the value, its standard error (NaN: unknown)."""

    def walk(evs: Any, stds: Any, place: tuple[int, ...]) -> Iterator[tuple[str, float, float]]:
        if isinstance(evs, (int, float)) or evs is None:
            label = f"[{','.join(map(str, place))}]" if place else "value"
            yield label, math.nan if evs is None else float(evs), math.nan if stds is None else float(stds)
            return
        for number, ev in enumerate(evs):
            yield from walk(ev, stds[number] if isinstance(stds, (list, tuple)) else stds, (*place, number))

    yield from walk(pub.evs, pub.stds, ())


def _error(std: float) -> float:
    return std if math.isfinite(std) else 0.0


def _figure(value: float) -> str:
    return f"{value:+.4g}" if math.isfinite(value) and value < 0 else f"{value:.4g}"


def _scale(low: float, high: float, zero: int, room: int) -> str:
    left, right = f"{low:.3g}", f"{high:.3g}"
    cells = list(left + " " * max(1, room - len(left) - len(right)) + right)
    if len(left) < zero < room - len(right) - 1:
        cells[zero] = "0"
    return "".join(cells)
