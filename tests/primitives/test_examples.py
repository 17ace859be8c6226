"""The three programs that were written for Qiskit itself: one line changed, and the known answer."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stack import Stack

pytestmark = pytest.mark.system

EXAMPLES = Path(__file__).parents[2] / "examples" / "qiskit"


def printed(stack: Stack, name: str) -> str:
    run = subprocess.run(
        [sys.executable, str(EXAMPLES / name)],
        env=stack.settings.environment() | {"MPLBACKEND": "agg", "HOME": str(stack.folder)},
        cwd=stack.folder,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout


def number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    assert found is not None, text
    return float(found[1])


def test_vqe_finds_the_ground_state_of_hydrogen(stack: Stack) -> None:
    said = printed(stack, "vqe.py")
    assert number(r"exact (-[\d.]+)", said) == pytest.approx(-1.8573, abs=1e-4)
    assert number(r"energy (-[\d.]+)", said) == pytest.approx(-1.8573, abs=0.015)  # without correlation it is -1.837


def test_qaoa_finds_the_largest_cut(stack: Stack) -> None:
    said = printed(stack, "qaoa.py")
    assert number(r"cut (\d+)", said) == 4
    assert number(r"mean cut ([\d.]+)", said) > 2.5


def test_an_experiment_measures_the_t1_of_the_calibration(stack: Stack) -> None:
    said = printed(stack, "experiments_t1.py")
    measured, calibrated = number(r"T1 (\d+) µs", said), number(r"says (\d+) µs", said)
    assert measured == pytest.approx(calibrated, rel=0.15)
