"""How far jobs are, while somebody waits: a bar on a terminal, a bar in a notebook, nothing anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from html import escape
from typing import Any

from qtasks.client.notebook import pill
from qtasks.lifecycle import Phase

Seen = Callable[[str, Phase], None]
"""Is told the id of a job and its phase."""

_STEPS = {Phase.PENDING: 0, Phase.RETRYING: 0, Phase.VALIDATING: 1, Phase.SCHEDULING: 2, Phase.RUNNING: 3}
_LAST = 4


class Progress:
    """What is known of some jobs, by id; each goes four steps from submission to its end."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = dict(names)
        self._phases = dict.fromkeys(names, Phase.PENDING)

    def seen(self, job_id: str, phase: Phase) -> None:
        """Take note of a phase."""
        if job_id in self._phases:
            self._phases[job_id] = phase

    @property
    def steps(self) -> int:
        """Steps done of `total`."""
        return sum(_STEPS.get(phase, _LAST) for phase in self._phases.values())

    @property
    def total(self) -> int:
        return _LAST * len(self._phases)

    @property
    def text(self) -> str:
        """One job: its name and phase. Several: how many of them are final."""
        if len(self._phases) == 1:
            ((job_id, phase),) = self._phases.items()
            return f"{self._names[job_id]} {phase.value}"
        final = sum(phase.final for phase in self._phases.values())
        return f"{final} of {len(self._phases)} jobs"

    def _repr_html_(self) -> str:
        said = escape(self.text)
        if len(self._phases) == 1:
            ((job_id, phase),) = self._phases.items()
            said = f"{escape(self._names[job_id])} {pill(phase.value)}"
        return (
            f'<div class="qtasks-progress"><progress value="{self.steps}" max="{self.total}" '
            f'aria-label="{escape(self.text)}" style="vertical-align:middle"></progress> {said}</div>'
        )

    def __repr__(self) -> str:
        return self.text


@contextmanager
def watching(names: Mapping[str, str], *, show: bool = True) -> Iterator[Seen]:
    """A `seen` for whoever waits for the jobs `names` (name by id), which shows how far they are until the end."""
    progress = Progress(names)
    if not show:
        yield progress.seen
    elif (display := _notebook_display()) is not None:
        yield _in_notebook(progress, display)
    else:
        with _on_terminal(progress) as seen:
            yield seen


def _notebook_display() -> Any:
    """IPython's `display` in a notebook; None elsewhere, a terminal's IPython included."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    from IPython.display import display  # type: ignore[import-not-found]  # only where there is a notebook

    return display


def _in_notebook(progress: Progress, display: Any) -> Seen:
    handle = display(progress, display_id=True)

    def seen(job_id: str, phase: Phase) -> None:
        before = progress.text, progress.steps
        progress.seen(job_id, phase)
        if (progress.text, progress.steps) != before:
            handle.update(progress)

    return seen


@contextmanager
def _on_terminal(progress: Progress) -> Iterator[Seen]:
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(progress.text, total=progress.total)

        def seen(job_id: str, phase: Phase) -> None:
            progress.seen(job_id, phase)
            bar.update(task, completed=progress.steps, description=progress.text)

        yield seen
