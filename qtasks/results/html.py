"""A result as a fragment of HTML, for notebooks: counts as a table with bars, values with their errors. Pure.

Colours are the surroundings' own (`currentColor`), so it can be read on light and on dark; all text is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import islice
from typing import Any

from qtasks.results.model import EstimatorPubResult, JobResult, PubResult

_OUTCOMES = 16
_PUBS = 8
_POINTS = 4
_VALUES = 16
_BAR = 160
"""Width of the longest bar, in pixels."""
CELL = "padding:2px 10px 2px 0;text-align:left;background:none;border:0"
_NUMBER = "padding:2px 10px 2px 0;text-align:right;font-variant-numeric:tabular-nums;background:none;border:0"


def result_html(result: JobResult) -> str:
    """The result of a job: each PUB (the first eight), with its most frequent outcomes (sixteen, of four
    points) or values (sixteen)."""
    many = len(result.pubs) > 1
    parts = [_pub_html(pub, f"PUB {number}" if many else "") for number, pub in enumerate(result.pubs[:_PUBS])]
    if len(result.pubs) > _PUBS:
        parts.append(f"<p>and {len(result.pubs) - _PUBS} more PUBs</p>")
    return f'<div class="qtasks-result">{"".join(parts)}{_provenance(result)}</div>'


def counts_html(counts: Mapping[str, int], *, caption: str = "") -> str:
    """Counts as a table, the most frequent first, each with a bar."""
    shots = sum(counts.values())
    most = max(counts.values(), default=0)
    ranked = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    rows = [
        [f"<code>{escape(outcome)}</code>", _bar(count / most), f"{count:,}", f"{count / shots:.1%}"]
        for outcome, count in ranked[:_OUTCOMES]
        if most
    ]
    rest = ranked[_OUTCOMES:]
    if rest:
        left = sum(count for _, count in rest)
        rows.append([f"{len(rest):,} more", "", f"{left:,}", f"{left / shots:.1%}"])
    return table(["outcome", "", "count", "share"], rows, caption=caption, numbers=(2, 3))


def table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str = "", numbers: Sequence[int] = ()
) -> str:
    """A table of cells that are HTML already; the columns `numbers` are set right. Empty heads are no heads."""
    style = [_NUMBER if column in numbers else CELL for column in range(len(heads))]
    title = f'<caption style="text-align:left">{caption}</caption>' if caption else ""
    # In quirks mode tables do not take the colour around them.
    frame = "border-collapse:collapse;margin:0;color:inherit;font:inherit"
    cells = "".join(f'<th scope="col" style="{style[n]};opacity:.7">{text}</th>' for n, text in enumerate(heads))
    head = f"<thead><tr>{cells}</tr></thead>" if any(heads) else ""
    body = "".join(f"<tr>{_cells(row, style)}</tr>" for row in rows)
    return f'<table style="{frame}">{title}{head}<tbody>{body}</tbody></table>'


def _cells(row: Sequence[str], style: Sequence[str]) -> str:
    return "".join(f'<td style="{style[n]}">{cell}</td>' for n, cell in enumerate(row))


def _bar(share: float) -> str:
    width = max(1, round(_BAR * share))
    return (
        f'<svg width="{_BAR}" height="10" aria-hidden="true"><rect width="{width}" height="10" rx="2" '
        'fill="currentColor" opacity=".55"/></svg>'
    )


def _pub_html(pub: PubResult, caption: str) -> str:
    if isinstance(pub, EstimatorPubResult):
        return _values_html(pub, caption)
    parts = []
    for index, counts in islice(pub.each(), _POINTS):
        said = " ".join(filter(None, [caption, f"point {list(index)}" if index else "", f"{pub.shots:,} shots"]))
        parts.append(
            counts_html(counts, caption=escape(said)) if counts else f"<p>{escape(said)}: nothing measured</p>"
        )
    if len(pub.points) > _POINTS:
        parts.append(f"<p>and {len(pub.points) - _POINTS:,} more points of shape {pub.shape}</p>")
    return "".join(parts)


def _values_html(pub: EstimatorPubResult, caption: str) -> str:
    pairs = list(islice(_flat(pub.evs, pub.stds), _VALUES + 1))
    rows = [[str(list(place)) if place else "", f"{ev:.6g}", f"± {std:.2g}"] for place, ev, std in pairs[:_VALUES]]
    if len(pairs) > _VALUES:
        rows.append(["…", "", ""])
    return table(["", "expectation value", "standard error"], rows, caption=escape(caption), numbers=(1, 2))


def _flat(evs: Any, stds: Any, place: tuple[int, ...] = ()) -> Iterable[tuple[tuple[int, ...], float, float]]:
    if isinstance(evs, (list, tuple)):
        for number, (ev, std) in enumerate(zip(evs, stds, strict=True)):
            yield from _flat(ev, std, (*place, number))
    else:
        yield place, float(evs), float(stds)


def _provenance(result: JobResult) -> str:
    made = result.provenance
    said = [f"job {result.job_id}", made.backend]
    if made.seed_simulator is not None:
        said.append(f"seed {made.seed_simulator}")
    return f'<p style="opacity:.7;margin:4px 0">{escape(" · ".join(said))}</p>'
