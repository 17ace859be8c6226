"""Methods of the client and of jobs, made awaitable: the same arguments, the same answers, in a thread."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)


class Twin(Protocol[S_co]):
    """What has a twin that blocks."""

    def _call(self, call: Callable[[S_co], T]) -> Awaitable[T]:
        """What `call` gives for the twin, in a thread."""
        ...


def awaited(
    method: Callable[Concatenate[S, P], T],
) -> Callable[Concatenate[Twin[S], P], Coroutine[Any, Any, T]]:
    """A method of the twin, to be awaited. Whoever is cancelled meanwhile leaves its thread to end by itself: every
    call but those that wait for jobs is bounded in time."""

    @functools.wraps(method)
    async def call(self: Twin[S], /, *arguments: P.args, **named: P.kwargs) -> T:
        return await self._call(lambda twin: method(twin, *arguments, **named))

    return call
