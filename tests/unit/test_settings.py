"""Settings: read from the environment, refused by the name of their variable when they are wrong."""

from __future__ import annotations

import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from qtasks.errors import InvalidInput
from qtasks.settings import Settings, runtime_dir, settings


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """An environment without any setting."""
    for name in [name for name in os.environ if name.startswith("QTASKS_")]:
        monkeypatch.delenv(name)
    settings.cache_clear()
    yield monkeypatch
    settings.cache_clear()


def test_without_settings_everything_is_embedded_in_the_home() -> None:
    found = settings()
    home = Path("~/.qtasks").expanduser()
    assert found.embedded
    assert found.home_path == home
    assert found.database == f"sqlite:///{home / 'qtasks.db'}"
    assert found.broker == f"unix://{found.redis_socket}?db=0"
    assert found.object_store == (home / "objects").as_uri()
    assert found.configmaps == home / "configmaps"


def test_the_environment_is_read(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("QTASKS_HOME", "/srv/qtasks")
    environment.setenv("QTASKS_DATABASE_URL", "postgresql+psycopg://db/qtasks")
    environment.setenv("QTASKS_BROKER_URL", "redis://redis:6379/0")
    environment.setenv("QTASKS_OBJECT_STORE_URL", "s3://bucket/prefix")
    environment.setenv("QTASKS_BATCH_SIZE", "7")
    environment.setenv("QTASKS_SIMULATOR_RATE", "0.001")
    environment.setenv("QTASKS_SOMETHING_ELSE", "is not ours")
    found = settings()
    assert (found.home, found.batch_size, found.simulator_rate) == (Path("/srv/qtasks"), 7, Decimal("0.001"))
    assert (found.database, found.broker) == ("postgresql+psycopg://db/qtasks", "redis://redis:6379/0")
    assert (found.object_store, found.embedded) == ("s3://bucket/prefix", False)


@pytest.mark.parametrize(
    "name", ["HOME", "CONFIG", "SECRETS_DIR", "LEASE_SECONDS", "BATCH_SIZE", "WORKER_MEMORY", "BROKER_URL", "API_URL"]
)
def test_an_empty_variable_is_unset(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv(f"QTASKS_{name}", "")
    assert settings() == Settings()
    environment.delenv(f"QTASKS_{name}")
    assert settings() == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BATCH_SIZE", "many"),
        ("BATCH_SIZE", "0"),
        ("BATCH_SIZE", "1001"),
        ("LEASE_SECONDS", "-1"),
        ("LEASE_SECONDS", "0"),
        ("MAX_TAKEOVERS", "1.5"),
        ("SIMULATOR_RATE", "-0.01"),
        ("WORKER_THREADS", "-1"),
        ("AGEING_SECONDS", "0"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_variable(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    environment.setenv(f"QTASKS_{name}", value)
    with pytest.raises(InvalidInput, match=f"QTASKS_{name}: ") as caught:
        settings()
    assert caught.value.reason == "InvalidSettings"
    assert "docs/settings.md" in caught.value.hint


def test_every_wrong_value_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("QTASKS_BATCH_SIZE", "0")
    environment.setenv("QTASKS_MAX_TAKEOVERS", "-1")
    with pytest.raises(InvalidInput, match="QTASKS_BATCH_SIZE") as caught:
        settings()
    assert "QTASKS_MAX_TAKEOVERS" in caught.value.message


def test_a_heartbeat_that_a_lease_does_not_outlive_three_times_is_refused(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("QTASKS_LEASE_SECONDS", "20")
    with pytest.raises(InvalidInput) as caught:
        settings()
    assert caught.value.message == (
        "QTASKS_HEARTBEAT_SECONDS=10 must be at most a third of QTASKS_LEASE_SECONDS=20: "
        "a living worker would lose its jobs"
    )
    environment.setenv("QTASKS_HEARTBEAT_SECONDS", "6.6")
    assert settings().lease_seconds == 20.0


def test_settings_are_read_once(environment: pytest.MonkeyPatch) -> None:
    first = settings()
    environment.setenv("QTASKS_BATCH_SIZE", "7")
    assert settings() is first


def test_a_home_may_begin_with_a_tilde_or_be_relative(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    environment.chdir(tmp_path)
    assert Settings(home=Path("here")).home_path == tmp_path / "here"
    assert Settings(home=Path("~/there")).home_path == Path.home() / "there"


def test_a_broker_or_an_api_of_ones_own_is_not_embedded() -> None:
    assert not Settings(broker_url="redis://localhost").embedded
    assert not Settings(api_url="https://qtasks.example").embedded


def test_a_socket_whose_path_would_be_too_long_lies_elsewhere() -> None:
    near, far = Settings(home=Path("/srv/q")), Settings(home=Path("/srv") / ("q" * 100))
    assert near.redis_socket == Path("/srv/q/run/redis.sock")
    assert far.redis_socket.parent == runtime_dir(far.home_path)
    assert len(os.fsencode(far.redis_socket)) < 100
    assert runtime_dir(near.home_path) != runtime_dir(far.home_path)


def test_the_environment_of_a_child_gives_it_the_same_settings(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    mine = Settings(
        home=tmp_path, broker_url="redis://r:1/0", batch_size=7, simulator_rate=Decimal("0.25"), worker_memory="4Gi"
    )
    passed_on = mine.environment()
    assert set(passed_on) == {
        "QTASKS_HOME",
        "QTASKS_BROKER_URL",
        "QTASKS_BATCH_SIZE",
        "QTASKS_SIMULATOR_RATE",
        "QTASKS_WORKER_MEMORY",
    }
    for name, value in passed_on.items():
        environment.setenv(name, value)
    assert settings() == mine
