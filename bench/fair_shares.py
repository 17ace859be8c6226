"""A thousand jobs of ten namespaces, taken one by one as a worker takes them: who has had how much, over time."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from qtasks.lifecycle import Queue
from qtasks.scheduling.fairness import turns
from qtasks.store.claims import Head, Share

WEIGHTS = {"chem": 4.0, "optics": 3.0, "ml": 2.0, **{f"team-{number}": 1.0 for number in range(1, 8)}}
JOBS = 100
LATE, LATE_AT = "team-7", 300
"""A namespace that begins to submit when others have had so many turns."""
_AGEING = 600.0


def served(weights: Mapping[str, float] = WEIGHTS) -> list[str]:
    """The namespaces in the order of their turns: the real rule, with the tags that a claim writes."""
    waiting = {name: deque(range(JOBS)) for name in weights if name != LATE}
    shares: dict[str, Share] = {}
    order: list[str] = []
    while any(waiting.values()) or LATE not in waiting:
        if len(order) == LATE_AT:
            waiting[LATE] = deque(range(JOBS))
        heads = [
            Head(f"{name}-{left[0]:03}", name, Queue.SMALL, name, 6, 0.0, True)
            for name, left in waiting.items()
            if left
        ]
        turn = turns(heads, shares, ageing_seconds=_AGEING)[0]
        name = turn.head.namespace
        finish = turn.start_tag + 1 / weights[name]
        shares[name] = Share(name, turn.start_tag, finish, weights[name])
        waiting[name].popleft()
        order.append(name)
    return order


@dataclass(frozen=True, slots=True)
class Stretch:
    """Turns during which the same namespaces had work: what each had, and what its weight entitles it to."""

    start: int
    end: int
    had: Mapping[str, int]
    due: Mapping[str, float]

    @property
    def most_off(self) -> float:
        """Turns that the namespace worst off, or best off, is away from its share."""
        return max(abs(self.had.get(name, 0) - due) for name, due in self.due.items())


def stretches(order: Sequence[str], weights: Mapping[str, float] = WEIGHTS) -> list[Stretch]:
    """The order, cut wherever a namespace comes or has nothing left."""
    last = {name: max(place for place, one in enumerate(order) if one == name) + 1 for name in weights}
    cuts = sorted({0, LATE_AT, *last.values()})
    found = []
    for start, end in pairwise(cuts):
        there = [name for name in weights if last[name] >= end and (name != LATE or start >= LATE_AT)]
        total = sum(weights[name] for name in there)
        due = {name: (end - start) * weights[name] / total for name in there}
        found.append(Stretch(start, end, Counter(order[start:end]), due))
    return found


_COLOURS = ("#1b6ca8", "#c8553d", "#3c8d40", *("#8a8a8a",) * 6, "#7b3fa0")
_WIDTH, _HEIGHT, _LEFT, _TOP, _ROOM = 760, 340, 56, 34, 96


def svg(order: Sequence[str], weights: Mapping[str, float] = WEIGHTS) -> str:
    """Turns had by each namespace against turns given, as a drawing."""
    width, height = _WIDTH - _LEFT - _ROOM, _HEIGHT - _TOP - 44

    def x(turn: float) -> float:
        return round(_LEFT + width * turn / len(order), 1)

    def y(had: float) -> float:
        return round(_TOP + height * (1 - had / JOBS), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        'font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="18" font-size="13">Jobs started of each namespace, 100 waiting in each</text>',
    ]
    for had in range(0, JOBS + 1, 25):
        parts.append(f'<line x1="{_LEFT}" x2="{x(len(order))}" y1="{y(had)}" y2="{y(had)}" stroke="#e3e3e3"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y(had) + 4}" text-anchor="end">{had}</text>')
    for turn in range(0, len(order) + 1, 200):
        parts.append(f'<text x="{x(turn)}" y="{_HEIGHT - 24}" text-anchor="middle">{turn}</text>')
    parts.append(f'<text x="{_LEFT + width / 2:.0f}" y="{_HEIGHT - 6}" text-anchor="middle">turns given</text>')
    for (name, weight), colour in zip(weights.items(), _COLOURS, strict=True):
        line, had, ends = [], 0, (0.0, 0.0)
        for place, one in enumerate(order, start=1):
            if one == name:
                if not had and name == LATE:
                    line.append(f"{x(place - 1)},{y(0)}")
                had += 1
                ends = (x(place), y(had))
                if had % 5 == 0 or had == JOBS:
                    line.append(f"{ends[0]},{ends[1]}")
        start = [] if name == LATE else [f"{x(0)},{y(0)}"]
        parts.append(
            f'<polyline fill="none" stroke="{colour}" stroke-width="1.8" points="{" ".join([*start, *line])}"/>'
        )
        if colour != "#8a8a8a":
            label = f"{name} ×{weight:g}" + (f", from {LATE_AT}" if name == LATE else "")
            shift = -6 if name != LATE else 16
            parts.append(
                f'<text x="{ends[0] - 4}" y="{y(JOBS) + shift}" text-anchor="middle" fill="{colour}">{label}</text>'
            )
    parts.append(f'<text x="{x(len(order)) + 6}" y="{y(JOBS) + 32}" fill="#6a6a6a">six ×1</text>')
    return "\n".join([*parts, "</svg>", ""])
