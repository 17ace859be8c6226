"""Looking at the processes of a fetch."""

from __future__ import annotations

from pathlib import Path


def processes_of(scratch: Path) -> list[Path]:
    """The processes whose home lies in this folder: a fetch, and what it started."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and f"HOME={scratch}/".encode() in (folder / "environ").read_bytes():
                found.append(folder)
        except OSError:
            continue
    return found
