"""Building a pass manager leaves the plugins of other packages asleep, and where they were."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from qiskit_aer import AerSimulator
from stevedore import ExtensionManager

from qtasks.backends.pass_managers import preset_pass_manager

_OWN = {"default", "synthesis", "translator"}


def known() -> set[str]:
    return {entry.name for entry in ExtensionManager.ENTRY_POINT_CACHE["qiskit.transpiler.translation"]}


def test_plugins_of_other_packages_are_unknown_only_while_one_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    during: list[set[str]] = []

    def fail(*_: Any, **__: Any) -> None:
        during.append(known())
        raise ZeroDivisionError

    preset_pass_manager(0, backend=AerSimulator())
    assert known() > _OWN | {"ibm_dynamic_circuits"}
    monkeypatch.setattr("qiskit.transpiler.generate_preset_pass_manager", fail)
    with pytest.raises(ZeroDivisionError):
        preset_pass_manager(0, backend=AerSimulator())
    assert during == [_OWN]
    assert known() > _OWN | {"ibm_dynamic_circuits"}


def test_building_one_imports_no_other_package_that_has_plugins() -> None:
    code = (
        "import sys; from qiskit_aer import AerSimulator;"
        "from qtasks.backends.pass_managers import preset_pass_manager;"
        "preset_pass_manager(2, backend=AerSimulator());"
        "print([name for name in ('qiskit_ibm_runtime', 'qiskit_experiments') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
