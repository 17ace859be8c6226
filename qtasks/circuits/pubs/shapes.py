"""Shapes of arrays, as NumPy has them, without NumPy: sizes, indices in C order, broadcasting. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product, zip_longest
from math import prod
from typing import Any, TypeAlias

Shape: TypeAlias = tuple[int, ...]


def size(shape: Shape) -> int:
    """The number of elements."""
    return prod(shape)


def indices(shape: Shape) -> Iterator[Shape]:
    """The index of each element, in C order."""
    return product(*(range(length) for length in shape))


def broadcast(first: Shape, second: Shape) -> Shape | None:
    """The shape that both are stretched to; None where they do not fit each other."""
    found = []
    for one, other in zip_longest(reversed(first), reversed(second), fillvalue=1):
        if one != other and 1 not in (one, other):
            return None
        found.append(other if one == 1 else one)
    return tuple(reversed(found))


def places(shape: Shape, within: Shape) -> list[int]:
    """For each element of `within`, which `shape` is stretched to, the place in C order of the element of `shape`."""
    steps: list[int] = []
    step = 1
    for length in reversed(shape):
        steps.append(0 if length == 1 else step)
        step *= length
    steps = [0] * (len(within) - len(shape)) + steps[::-1]
    found = [0]
    for length, stride in zip(within, steps, strict=True):
        found = [place + stride * number for place in found for number in range(length)]
    return found


def nested(values: Sequence[Any], shape: Shape) -> Any:
    """Elements in C order as lists of lists; the one element itself where the shape is ()."""
    if not shape:
        return values[0]
    whole = list(values)
    for length in reversed(shape[1:]):
        whole = [whole[start : start + length] for start in range(0, len(whole), length)]
    return whole
