"""Tables as kubectl prints them, fitted to a width. Pure: cells in, text out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rich.cells import cell_len, set_cell_size
from rich.text import Text

GAP = 3
CLOSE_GAP = 2
NARROWEST_WRAP = 20

STYLES = {
    "Completed": "green",
    "Running": "cyan",
    "Validating": "cyan",
    "Scheduling": "cyan",
    "Retrying": "yellow",
    "Cancelled": "yellow",
    "Failed": "red",
    "Warning": "yellow",
    "False": "yellow",
    "ok": "green",
    "FAILS": "red",
    "up": "green",
    "down": "red",
}
"""The colour of a cell that is exactly this word."""


def table(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int | None = None,
    least: Mapping[str, int] | None = None,
    floor: Mapping[str, int] | None = None,
    wrap: bool = False,
    close: bool = False,
    indent: int = 0,
) -> Text:
    """Lines of aligned columns under their titles, `width` columns wide at most where that can be.

    What is too wide is cut, "…" at its end, in the columns of `least`, the widest first, but not below the width
    given there; with `wrap`, the last column goes on in further lines instead. Without `width` nothing is cut. With
    `close`, columns move together before anything is cut. The columns of `floor` are at least so wide whatever they
    hold.
    """
    cells = [[_one_line(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(titles, *cells, strict=True)]
    widths = [max(size, (floor or {}).get(title, 0)) for title, size in zip(titles, widths, strict=True)]
    fits = width is None or indent + sum(widths) + GAP * (len(titles) - 1) <= width
    gap = CLOSE_GAP if wrap or (close and not fits) else GAP
    if width is not None:
        space = width - indent - gap * (len(titles) - 1)
        if wrap:
            widths[-1] = min(widths[-1], max(NARROWEST_WRAP, space - sum(widths[:-1])))
        _fit(widths, space, {titles.index(title): value for title, value in (least or {}).items() if title in titles})
    lines = [_line(titles, widths, gap, indent, header=True)]
    for row in cells:
        for part in _wrapped(row, widths[-1]) if wrap else [row]:
            lines.append(_line(part, widths, gap, indent, wrapped=wrap))
    return Text("\n").join(lines)


def first_that_fits(drawings: Sequence[Callable[[], Text]], width: int | None) -> Text:
    """The first of several drawings of the same that is at most `width` columns wide; the last where none is."""
    drawn = drawings[0]()
    for drawing in drawings[1:]:
        if width is None or all(cell_len(line) <= width for line in drawn.plain.splitlines()):
            break
        drawn = drawing()
    return drawn


def lines_of(pairs: Sequence[tuple[str, str]], *, indent: int = 0, width: int | None = None) -> Text:
    """`Label:  value` lines with the values aligned, long values going on below themselves; a value of several lines
    keeps them."""
    column = indent + max(cell_len(label) for label, _ in pairs) + GAP
    text = []
    for label, value in pairs:
        room = None if width is None else max(NARROWEST_WRAP, width - column)
        first, *rest = [part for line in value.splitlines() or [""] for part in _folded(line, room)]
        head = Text(f"{' ' * indent}{label}:".ljust(column) if first else f"{' ' * indent}{label}:")
        text.append(head + Text(first, style=STYLES.get(value, "")))
        text += [Text(" " * column + line) for line in rest]
    return Text("\n").join(text)


def _fit(widths: list[int], space: int, least: Mapping[int, int]) -> None:
    """Take columns away from the widest of those that may be cut until all fit, or none can give more."""
    while (excess := sum(widths) - space) > 0:
        able = sorted((i for i in least if widths[i] > least[i]), key=lambda i: widths[i], reverse=True)
        if not able:
            return
        first = able[0]
        floor = max(least[first], widths[able[1]] - 1 if len(able) > 1 else 0)
        widths[first] = max(floor, widths[first] - excess)


def _line(
    cells: Sequence[str], widths: Sequence[int], gap: int, indent: int, *, header: bool = False, wrapped: bool = False
) -> Text:
    line = Text(" " * indent)
    place = indent
    last = len(cells) - 1
    for number, (cell, size) in enumerate(zip(cells, widths, strict=True)):
        # What stands last may be a word too long to fold.
        fits = cell_len(cell) <= size or (wrapped and number == last)
        line.append(" " * (place - line.cell_len))
        shown = cell if fits else set_cell_size(cell, size - 1).rstrip() + "…"
        line.append(shown, style="bold" if header else STYLES.get(cell, ""))
        place += size + gap
    line.rstrip()
    return line


def _wrapped(row: Sequence[str], width: int) -> list[list[str]]:
    first, *rest = _folded(row[-1], width)
    return [[*row[:-1], first], *([*("" for _ in row[:-1]), part] for part in rest)]


def _folded(text: str, width: int | None) -> list[str]:
    """The text in lines of at most `width`, broken at spaces only: a hash or a path is to be copied in one piece."""
    if width is None or cell_len(text) <= width:
        return [text]
    first, *words = text.split(" ")
    lines = [first]
    for word in words:
        if cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _one_line(cell: str) -> str:
    """A cell without what would break its line, or command the terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in cell)
