"""Who may use Flower, and from where anybody may."""

from __future__ import annotations

from pathlib import Path

import pytest

from qtasks.access.monitor import require_protected, users_of
from qtasks.errors import InvalidInput


def test_users_are_the_lines_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "users"
    file.write_text("# who\nops:a:b\n\n  dev:x  \n")
    assert users_of(file) == ["ops:a:b", "dev:x"]


@pytest.mark.parametrize("text", ["", "# nobody\n", "ops\n", "ops:\n", ":secret-word\n", "ops:sécret-word\n"])
def test_a_file_that_names_nobody_is_refused_without_its_text(tmp_path: Path, text: str) -> None:
    (tmp_path / "users").write_text(text)
    with pytest.raises(InvalidInput) as caught:
        users_of(tmp_path / "users")
    assert caught.value.reason == "InvalidSettings" and "secret-word" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="nobody cannot be read"):
        users_of(tmp_path / "nobody")


def test_without_users_only_loopback_is_listened_on() -> None:
    for address in ("127.0.0.1", "::1", "localhost", "127.8.0.9"):
        require_protected(address, users=False, insecure=False)
    require_protected("0.0.0.0", users=True, insecure=False)
    require_protected("0.0.0.0", users=False, insecure=True)
    for address in ("0.0.0.0", "::", "10.0.0.1", "flower.example", ""):
        with pytest.raises(InvalidInput) as caught:
            require_protected(address, users=False, insecure=False)
        assert caught.value.reason == "FlowerUnprotected"
