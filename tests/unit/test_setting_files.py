"""Settings that are given as files: `QTASKS_<SETTING>_FILE`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from qtasks.errors import InvalidInput
from qtasks.settings import Settings, settings

DATABASE = "postgresql+psycopg://qtasks:a%2Fsecret@postgres:5432/qtasks"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """An environment without any setting."""
    for name in [name for name in os.environ if name.startswith("QTASKS_")]:
        monkeypatch.delenv(name)
    settings.cache_clear()
    yield monkeypatch
    settings.cache_clear()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file that holds the database's address."""
    path = tmp_path / "database-url"
    path.write_text(f"{DATABASE}\n")
    return path


def test_any_setting_may_be_read_from_a_file_without_its_last_line_break(
    tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    given = {"broker_url": "redis://:pw@r/0\r\n", "batch_size": "7", "home": "/srv/q\n", "api_token": "t\n"}
    for name, text in given.items():
        (tmp_path / name).write_bytes(text.encode())
        environment.setenv(f"QTASKS_{name.upper()}_FILE", str(tmp_path / name))
    found = settings()
    assert (found.broker_url, found.batch_size, found.home) == ("redis://:pw@r/0", 7, Path("/srv/q"))
    assert found.api_token is not None
    assert found.api_token.get_secret_value() == "t"


def test_a_value_and_a_file_are_refused_together(secret: Path, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("QTASKS_DATABASE_URL_FILE", str(secret))
    environment.setenv("QTASKS_DATABASE_URL", "sqlite://")
    with pytest.raises(InvalidInput, match="QTASKS_DATABASE_URL and QTASKS_DATABASE_URL_FILE are both given") as caught:
        settings()
    assert caught.value.reason == "InvalidSettings"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"pass\xffword", "is not UTF-8 text"),
        (b"x" * 70_000, "is larger than 65536 bytes"),
    ],
)
def test_a_file_without_a_value_is_refused_by_its_variable_and_never_shown(
    tmp_path: Path, environment: pytest.MonkeyPatch, content: bytes | None, why: str
) -> None:
    path = tmp_path / "broker-url"
    if content is not None:
        path.write_bytes(content)
    environment.setenv("QTASKS_BROKER_URL_FILE", str(path))
    with pytest.raises(InvalidInput) as caught:
        settings()
    assert caught.value.message == f"QTASKS_BROKER_URL_FILE: {path} {why}."
    assert caught.value.reason == "InvalidSettings"


def test_a_wrong_value_in_a_file_is_refused_as_one_in_the_environment_is(
    tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    (tmp_path / "batch").write_text("many")
    environment.setenv("QTASKS_BATCH_SIZE_FILE", str(tmp_path / "batch"))
    with pytest.raises(InvalidInput, match="QTASKS_BATCH_SIZE: "):
        settings()


def test_an_empty_variable_names_no_file(secret: Path, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("QTASKS_DATABASE_URL_FILE", "")
    environment.setenv("QTASKS_DATABASE_URL", "sqlite://")
    assert settings().database_url == "sqlite://"
    environment.setenv("QTASKS_DATABASE_URL", "")
    environment.setenv("QTASKS_DATABASE_URL_FILE", str(secret))
    settings.cache_clear()
    assert settings().database_url == DATABASE


def test_a_child_reads_the_file_again_and_finds_no_secret_in_its_environment(
    secret: Path, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("QTASKS_DATABASE_URL_FILE", str(secret))
    environment.setenv("QTASKS_HOME", "/srv/qtasks")
    mine = settings()
    passed_on = mine.environment()
    assert "a%2Fsecret" not in str(passed_on)
    for name, value in passed_on.items():
        environment.setenv(name, value)
    settings.cache_clear()
    assert settings() == mine


@pytest.mark.parametrize("given", ["afterwards", "as an argument"])
def test_a_child_gets_a_value_that_replaced_the_files(
    secret: Path, environment: pytest.MonkeyPatch, given: str
) -> None:
    environment.setenv("QTASKS_DATABASE_URL_FILE", str(secret))
    other = "sqlite:////srv/other.db"
    mine = Settings(database_url=other)
    if given == "afterwards":
        mine = settings().model_copy(update={"database_url": other})
    for name, value in mine.environment().items():
        environment.setenv(name, value)
    settings.cache_clear()
    assert settings().database_url == other


def test_no_settings_name_could_be_taken_for_anothers_file() -> None:
    assert [name for name in Settings.model_fields if f"{name}_file" in Settings.model_fields] == []
