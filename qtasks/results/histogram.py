"""Counts as a histogram of text, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping

_BLOCKS = " ▏▎▍▌▋▊▉█"


def histogram(counts: Mapping[str, int], width: int = 80, rows: int = 16) -> str:
    """One line per outcome (bar, count, percent of all shots), at most `width` columns wide where that can be.

    Up to `rows` outcomes are sorted by outcome; of more, the `rows` most frequent are shown, most frequent first,
    and a last line says how many are not. The longest bar stands for the largest count; an outcome that occurred has
    at least a sliver. A long outcome is cut in its middle.
    """
    if not counts:
        return "no counts: the circuit measured nothing"
    shots = sum(counts.values()) or 1
    if len(counts) <= rows:
        shown = sorted(counts.items())
    else:
        shown = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:rows]
    names = [shorten(outcome, max(9, width // 2)) for outcome, _ in shown]
    name_width = max(map(len, names))
    count_width = max(len(str(count)) for _, count in shown)
    bar_width = max(4, width - name_width - count_width - len("  ") * 2 - len(" 100.0%"))
    largest = max(count for _, count in shown) or 1
    lines = [
        f"{name:>{name_width}}  {bar(count / largest, bar_width)}  {count:>{count_width}} {count / shots:6.1%}"
        for name, (_, count) in zip(names, shown, strict=True)
    ]
    if len(counts) > len(shown):
        lines.append(f"… {len(counts) - len(shown)} more")
    return "\n".join(lines)


def bar(part: float, width: int) -> str:
    """A bar for a part of 0 to 1, `width` columns wide with its blanks; some is never shown as none."""
    eighths = round(part * width * 8)
    if part > 0:
        eighths = max(1, eighths)
    full, rest = divmod(eighths, 8)
    return (_BLOCKS[8] * full + (_BLOCKS[rest] if rest else "")).ljust(width)


def shorten(outcome: str, width: int) -> str:
    """The outcome, cut in its middle where it is longer than `width`."""
    if len(outcome) <= width:
        return outcome
    left = (width - 1) // 2
    return f"{outcome[:left]}…{outcome[len(outcome) - (width - 1 - left) :]}"
