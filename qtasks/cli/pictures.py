"""Results as pictures, for `qtasks plot -o FILE`: matplotlib, without a screen. Pure: results in, bytes out."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

from qtasks.cli.charts import Chart, Shares, compared, points_of, shares
from qtasks.errors import InvalidInput
from qtasks.results import EstimatorPubResult, JobResult
from qtasks.results.histogram import shorten

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
"""Of Okabe and Ito, which people tell apart whatever colours they see: https://jfly.uni-koeln.de/color/."""
HATCHES = ("", "//", "..", "\\\\", "xx", "--", "oo", "++")
"""For whoever prints it in black."""
_OUTCOMES = 32
_LONGEST_LABEL = 24
_INCHES = 4.2
_MOST_CHARTS = 16
_MARKERS = "os^Dv<>P"


def picture(results: Sequence[tuple[str, JobResult]], form: str, *, top: int | None = None) -> bytes:
    """A picture as `png`, `svg` or `pdf`, a chart below another for each PUB; the same results give the same bytes."""
    from matplotlib.figure import Figure

    charts = compared(results)
    if len(charts) > _MOST_CHARTS:
        raise InvalidInput(
            f"There are {len(charts)} charts to draw, and a picture holds {_MOST_CHARTS}.",
            reason="TooManyCharts",
            hint="`qtasks results --format json` has the figures of all PUBs and points.",
        )
    wide = max(_width(chart, top or _OUTCOMES) for chart in charts)
    figure = Figure(figsize=(wide, _INCHES * len(charts)), layout="constrained")
    for chart, axes in zip(charts, figure.subplots(len(charts), squeeze=False)[:, 0], strict=True):
        if chart.counts:
            _bars(axes, chart.names, shares(chart.counts, top or _OUTCOMES))
        else:
            _values(axes, list(zip(chart.names, chart.values, strict=True)))
        only = chart.names[0] if len(chart.names) == 1 else ""
        axes.set_title(" · ".join(filter(None, (only, chart.title))))
        if len(chart.names) > 1:
            axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    return saved(figure, form)


def saved(figure: Any, form: str) -> bytes:
    """A figure as bytes, without the time at which it was made."""
    from matplotlib import rc_context

    out = io.BytesIO()
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(form)
    with rc_context({"svg.hashsalt": "qtasks", "svg.fonttype": "none"}):
        figure.savefig(out, format=form, dpi=150, metadata=metadata)
    return out.getvalue()


def _width(chart: Chart, most: int) -> float:
    """Inches: enough for the labels below the bars."""
    bars = max([len(counts) for counts in chart.counts] + [sum(1 for _ in points_of(pub)) for pub in chart.values])
    return min(24.0, max(6.4, 0.12 * min(bars, most) * (1 + len(chart.names))))


def _bars(axes: Any, names: Sequence[str], found: Shares) -> None:
    """A group of bars for each outcome, one for each job; what is not shown is one more, in grey."""
    shown = [*found.outcomes, *([""] if found.others else [])]
    size = 0.8 / len(names)
    for job, name in enumerate(names):
        places = [number - 0.4 + size * (job + 0.5) for number in range(len(shown))]
        values = [found.share(job, outcome) for outcome in found.outcomes] + ([found.rest(job)] if found.others else [])
        drawn = axes.bar(places, values, size, label=name, color=COLOURS[job], hatch=HATCHES[job], edgecolor="white")
        if found.others:
            drawn[-1].set_facecolor("0.7")
    labels = [shorten(outcome, _LONGEST_LABEL) for outcome in found.outcomes]
    labels += [f"{found.others} more"] if found.others else []
    long = max(map(len, labels), default=0) > 4
    axes.set_xticks(range(len(shown)), labels, rotation=90 if long else 0, family="monospace")
    axes.set_ylabel("share of shots")
    axes.set_xlabel("outcome")
    axes.set_ylim(bottom=0.0)


def _values(axes: Any, pubs: Sequence[tuple[str, EstimatorPubResult]]) -> None:
    """A point with its standard error for each expectation value."""
    labels: list[str] = []
    for job, (name, pub) in enumerate(pubs):
        points = list(points_of(pub))
        labels = max(labels, [label for label, _, _ in points], key=len)
        places = [number + 0.12 * (job - (len(pubs) - 1) / 2) for number in range(len(points))]
        errors = [std if math.isfinite(std) else 0.0 for _, _, std in points]
        marks = {"color": COLOURS[job], "fmt": _MARKERS[job], "capsize": 4, "label": name}
        axes.errorbar(places, [ev for _, ev, _ in points], yerr=errors, **marks)
    axes.axhline(0.0, color="0.8", linewidth=0.8, zorder=0)
    axes.set_xticks(range(len(labels)), labels, rotation=90 if len(labels) > 8 else 0)
    axes.set_ylabel("expectation value")
