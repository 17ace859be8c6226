"""Writes the references in docs/ that are generated from the code, or with --check says which are stale.

`python -m tools.reference [--check]`
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from qtasks import lifecycle
from qtasks.settings import Settings
from tools.monitoring import manifests
from tools.monitoring.page import metrics_page

DOCS = Path(__file__).parents[1] / "docs"


def states() -> str:
    """The state diagram and the transition table."""
    rows = "\n".join(f"| {t.source} | {t.target} | {t.cause} |" for t in lifecycle.TRANSITIONS)
    conditions = ", ".join(f"`{condition}`" for condition in lifecycle.ConditionType)
    return (
        "# Phases\n\nGenerated from `qtasks/lifecycle.py`, which is the only place that says what may follow what.\n\n"
        f"```mermaid\n{lifecycle.mermaid()}```\n\n| from | to | when |\n|---|---|---|\n{rows}\n\n"
        f"A final phase is final. Beside the phase a job has conditions: {conditions}.\n"
    )


def settings() -> str:
    """Every option with its variable, default and description."""
    rows = []
    for name, field in Settings.model_fields.items():
        rows.append(f"| `QTASKS_{name.upper()}` | {_default(field.default)} | {field.description} |")
    return (
        "# Settings\n\nGenerated from `qtasks/settings.py`. Each is an environment variable; an empty one is unset.\n\n"
        "Each may also be given as a file: `QTASKS_DATABASE_URL_FILE=/run/secrets/qtasks/database-url` reads the whole "
        "address,\npassword and all, from there, without the line break at its end. Both at once, and a file that is "
        "missing or empty, are\nrefused (`InvalidSettings`). Processes that qtasks starts read the file again: the "
        "value is in no environment.\n\n"
        "| variable | default | meaning |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def _default(value: Any) -> str:
    if value is PydanticUndefined or value is None or value == "":
        return ""
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def main(arguments: list[str]) -> int:
    """Write, or check."""
    check = "--check" in arguments
    stale = []
    monitoring = {f"../k8s/monitoring/{name}": text for name, text in manifests.files().items()}
    pages = {"states.md": states(), "settings.md": settings(), "metrics.md": metrics_page(), **monitoring}
    for name, text in pages.items():
        path = DOCS / name
        if check:
            if not path.exists() or path.read_text() != text:
                stale.append(name)
        else:
            path.write_text(text)
    flag = ["--check"] if check else []
    for module, target in (
        ("qtasks.resources.schema", "schemas"),
        ("qtasks.cli.reference", "commands.md"),
        ("qtasks.operator.crds", "../k8s/crds"),
    ):
        done = subprocess.run([sys.executable, "-m", module, *flag, str((DOCS / target).resolve())], check=False)
        if done.returncode:
            stale.append(target)
    if stale:
        sys.stderr.write(f"stale in docs/: {', '.join(stale)}; run `make docs`\n")
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
