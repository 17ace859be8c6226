"""The Dockerfile, read as far as tests ask: its stages, and what each tells of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
TARGETS = ("worker", "worker-gpu", "api", "beat", "flower")


@dataclass
class Stage:
    """One `FROM … AS name`, with its instructions in order."""

    name: str
    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)


def stages(path: Path = ROOT / "Dockerfile") -> dict[str, Stage]:
    """The stages by name. A line that is continued is one instruction."""
    text = re.sub(r"\\\n", " ", "\n".join(line for line in path.read_text().splitlines() if not line.startswith("#")))
    found: dict[str, Stage] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            current = found[name] = Stage(name, base)
        elif found:
            current.instructions.append((word, " ".join(rest.split())))
    return found


def inherited(name: str) -> list[tuple[str, str]]:
    """The instructions that made an image of stage `name`, from its base on."""
    all_stages = stages()
    stage = all_stages[name]
    before = inherited(stage.base) if stage.base in all_stages else []
    return [*before, *stage.instructions]
