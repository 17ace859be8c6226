"""Where each part of a circuit's picture stands. Pure: wires and marks in, coordinates out.

Coordinates are CSS pixels. Time goes to the right; a mark stands in the first column in which all wires that it spans
are free.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["gate", "x", "z", "swap", "measure", "barrier"]

ROW = 40
"""Height of a wire."""
BOX = 28
"""Height and least width of a gate's box."""
_GAP = 14
_MARGIN = 12
_LETTER = 7.6
"""Width of a letter in a box; of a small one below."""
_SMALL_LETTER = 5.6


@dataclass(frozen=True, slots=True)
class Wire:
    name: str
    quantum: bool
    size: int = 1
    """Bits of a classical one."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One operation. `targets`, `classical` and the controls' first members are numbers of wires; a control is filled
    for 1 and open for 0."""

    kind: Kind
    label: str
    parameters: str
    targets: tuple[int, ...]
    controls: tuple[tuple[int, bool], ...] = ()
    classical: tuple[int, ...] = ()
    note: str = ""
    """Which bit of its register a measurement writes."""

    @property
    def wires(self) -> tuple[int, ...]:
        return (*self.targets, *(wire for wire, _ in self.controls), *self.classical)


@dataclass(frozen=True, slots=True)
class Box:
    x: float
    y: float
    width: float
    height: float
    label: str
    parameters: str
    kind: Kind
    ports: tuple[tuple[float, str], ...] = ()
    """(y, number) of each qubit of a gate on several, in the gate's own order."""


@dataclass(slots=True)
class Picture:
    """All that is drawn."""

    wires: list[tuple[float, Wire]]
    """With the height at which each lies."""
    width: float
    height: float
    names_width: float
    sentences: list[str]
    """Each operation in words."""
    omitted: int
    """Operations that are not drawn."""
    boxes: list[Box] = field(default_factory=list)
    links: list[tuple[float, float, float, bool]] = field(default_factory=list)
    """(x, from y, to y, whether to a classical wire)."""
    dots: list[tuple[float, float, bool]] = field(default_factory=list)
    """(x, y, filled)."""
    targets: list[tuple[float, float]] = field(default_factory=list)
    """The ⊕ of controlled X gates."""
    crosses: list[tuple[float, float]] = field(default_factory=list)
    barriers: list[tuple[float, float, float]] = field(default_factory=list)
    notes: list[tuple[float, float, str]] = field(default_factory=list)
    arrows: list[tuple[float, float]] = field(default_factory=list)


def lay_out(wires: Sequence[Wire], marks: Sequence[Mark], omitted: int = 0) -> Picture:
    columns = _columns(len(wires), marks)
    widths = [_GAP + max(_width(mark) for mark in column) for column in columns]
    names = max(len(_name(wire)) for wire in wires) * _LETTER + 2 * _MARGIN
    found = Picture(
        wires=[(_y(number), wire) for number, wire in enumerate(wires)],
        width=round(sum(widths) + 2 * _MARGIN, 1),
        height=ROW * len(wires) + _MARGIN,
        names_width=round(names, 1),
        sentences=[_sentence(mark, wires) for mark in marks],
        omitted=omitted,
    )
    x = float(_MARGIN)
    for column, width in zip(columns, widths, strict=True):
        for mark in column:
            _draw(found, mark, round(x + width / 2, 1))
        x += width
    return found


def _columns(wires: int, marks: Sequence[Mark]) -> list[list[Mark]]:
    free = [0] * wires
    columns: list[list[Mark]] = []
    for mark in marks:
        spanned = range(min(mark.wires), max(mark.wires) + 1)
        column = max(free[wire] for wire in spanned)
        while len(columns) <= column:
            columns.append([])
        columns[column].append(mark)
        for wire in spanned:
            free[wire] = column + 1
    return columns


def _y(wire: int) -> float:
    return _MARGIN / 2 + ROW * wire + ROW / 2


def _name(wire: Wire) -> str:
    return wire.name if wire.quantum or wire.size == 1 else f"{wire.name} / {wire.size}"


def _width(mark: Mark) -> float:
    if mark.kind == "barrier":
        return 4
    if mark.kind in ("x", "z", "swap") and (mark.controls or mark.kind == "swap"):
        return BOX
    ports = 12 if len(mark.targets) > 1 else 0
    text = max(len(mark.label) * _LETTER, len(mark.parameters) * _SMALL_LETTER)
    return max(float(BOX), text + 12 + ports)


def _draw(found: Picture, mark: Mark, x: float) -> None:
    ys = [_y(wire) for wire in mark.targets]
    if mark.kind == "barrier":
        found.barriers += [(x, y - ROW / 2, y + ROW / 2) for y in ys]
        return
    quantum = [*ys, *(_y(wire) for wire, _ in mark.controls)]
    if mark.controls or mark.kind == "swap":
        found.links.append((x, min(quantum), max(quantum), False))
    for wire in mark.classical:
        found.links.append((x, max(quantum, default=_y(wire)), _y(wire), True))
        if mark.kind == "measure":
            found.arrows.append((x, _y(wire)))
            found.notes.append((x, _y(wire), mark.note))
    found.dots += [(x, _y(wire), filled) for wire, filled in mark.controls]
    if mark.kind == "swap":
        found.crosses += [(x, y) for y in ys]
    elif mark.kind == "z" and mark.controls:
        found.dots += [(x, y, True) for y in ys]
    elif mark.kind == "x" and mark.controls:
        found.targets += [(x, y) for y in ys]
    else:
        _box(found, mark, x, ys)


def _box(found: Picture, mark: Mark, x: float, ys: Sequence[float]) -> None:
    at = ys or [_y(wire) for wire in mark.classical]
    width, top = _width(mark), min(at) - BOX / 2
    ports = tuple((y, str(number)) for number, y in enumerate(ys)) if len(ys) > 1 else ()
    height = max(at) - min(at) + BOX
    found.boxes.append(Box(round(x - width / 2, 1), top, width, height, mark.label, mark.parameters, mark.kind, ports))


def _sentence(mark: Mark, wires: Sequence[Wire]) -> str:
    def names(numbers: Sequence[int]) -> str:
        return ", ".join(wires[number].name for number in numbers)

    if mark.kind == "measure":
        into = names(mark.classical) + (f"[{mark.note}]" if mark.note else "")
        return f"measure {names(mark.targets)} into {into}"
    if mark.kind == "barrier":
        return f"barrier on {names(mark.targets)}"
    what = mark.label + (f"({mark.parameters})" if mark.parameters else "")
    said = f"{what} on {names(mark.targets)}" if mark.targets else what
    if mark.controls:
        said += ", controlled by " + ", ".join(
            f"{wires[wire].name}{'' if filled else ' at 0'}" for wire, filled in mark.controls
        )
    return said + (f", with {names(mark.classical)}" if mark.classical else "")
