"""One scene for all tests of a run: a stack with its API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.client.scene import CONFIG, Scene
from tests.support.servers import Postgres, Redis
from tests.support.stack import shared_stack


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("client")
    (folder / "config.yaml").write_text(CONFIG)
    # Its own: other tests empty theirs.
    broker = Redis(folder / "redis")
    broker.start()
    try:
        with shared_stack(folder, postgres, broker, 0, config=folder / "config.yaml") as stack:
            made = Scene(stack)
            made.serve()
            made.fill()
            yield made
            made.close()
    finally:
        broker.stop()
