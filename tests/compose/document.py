"""compose.yaml as tests read it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
OURS = re.compile(r"qtasks/([a-z-]+):")
ONCE = {"migrate", "bucket"}
"""Services that end by themselves."""
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)(?::-([^}]*))?\}")


def text() -> str:
    return (ROOT / "compose.yaml").read_text()


def variables() -> dict[str, str]:
    """The variables that the file asks for, and their defaults."""
    return dict(_VARIABLE.findall(text()))


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    """The file with the default of every variable put in, as Compose does. Not to be changed: it is read once."""
    filled = _VARIABLE.sub(lambda found: found[2] or "", text())
    loaded: dict[str, Any] = yaml.safe_load(filled.replace("$$", "$"))
    return loaded


def services() -> dict[str, dict[str, Any]]:
    return document()["services"]  # type: ignore[no-any-return]


def target_of(service: Mapping[str, Any]) -> str | None:
    """The target of the Dockerfile that a service runs; None where it is somebody else's image."""
    found = OURS.match(service["image"])
    return found[1] if found else None


def seconds(duration: str) -> float:
    """Of a duration such as `1m20s`."""
    return sum(float(n) * {"s": 1, "m": 60, "h": 3600}[unit] for n, unit in re.findall(r"([\d.]+)([smh])", duration))


def referenced_files() -> Iterator[Path]:
    """The files of the checkout that configs are made of."""
    for config in document()["configs"].values():
        yield ROOT / config["file"]


def environment() -> dict[str, str]:
    """This process's environment without the file's variables: a developer's .env must not decide a test."""
    return {name: value for name, value in os.environ.items() if name not in variables()}
