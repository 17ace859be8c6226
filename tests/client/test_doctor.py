"""The doctor looks at the API where that is the way to the queue."""

from __future__ import annotations

import pytest

from qtasks.client.checks.finding import Mark
from qtasks.client.health import examine
from qtasks.settings import Settings
from tests.client.scene import Scene
from tests.support.servers import free_port

pytestmark = pytest.mark.system


def test_the_doctor_tells_who_one_is_or_why_the_api_cannot_be_asked(scene: Scene) -> None:
    found = {one.part: one for one in examine(Settings(api_url=scene.url, api_token=scene.tokens["alice"]))}
    assert found["api"].mark is Mark.OK and "you are alice" in found["api"].detail
    away = {one.part: one for one in examine(Settings(api_url=f"http://127.0.0.1:{free_port()}"))}
    assert away["api"].mark is Mark.FAIL and "QTASKS_API_URL" in away["api"].hint
    assert found.keys() == {"versions", "api"}
