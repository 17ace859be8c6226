"""A sandbox for a module's tests, and short ways to ask it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qtasks.circuits.sandbox import Sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running
