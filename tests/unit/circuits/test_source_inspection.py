"""Inspection of a source before it runs: where its syntax is wrong, what it imports, what it reaches for."""

from __future__ import annotations

import sys

import pytest

import qtasks.circuits.python.imports as imports_module
from qtasks.circuits.errors import CircuitError
from qtasks.circuits.python import imports, moved
from qtasks.circuits.python.inspection import inspect

# What a sandbox has loaded by the time a source comes.
import qiskit.circuit.library  # noqa: F401  isort: skip
import scipy.linalg  # noqa: F401  isort: skip


def refused(source: str) -> CircuitError:
    with pytest.raises(CircuitError) as caught:
        imports.check(inspect(source, "<circuit>").imports, source)
    return caught.value


def accepted(source: str) -> None:
    imports.check(inspect(source, "<circuit>").imports, source)


def noted(source: str) -> list[str]:
    return [str(note) for note in inspect(source, "<circuit>").notes]


@pytest.mark.parametrize(
    ("source", "line", "column", "text"),
    [
        ("qc = (\n", 1, 6, "qc = ("),
        ("a = 1\nb = = 2\n", 2, 5, "b = = 2"),
        ("ψφ = 'é' + + = 1\n", 1, 14, "ψφ = 'é' + + = 1"),
        ("a = 'ψ'\nx = '\0'\n", 2, 6, "x = '\0'"),
        ("a = 1\n\ud800 = 2\n", 2, 1, "\ud800 = 2"),
        ("if 1:\n\tx = 1\n        y = 2\n", 3, None, "        y = 2"),
        ("# coding: no-such-coding\nx = = 1", 2, 5, "x = = 1"),
        ("x = " + "(" * 500 + ")" * 500, 1, None, None),
        ("a = 1\nx = " + "-" * 100_000 + "1\nb = 2\n", 2, None, None),
        ("a = 1\nx = 0" + " + 1" * 50_000, 2, None, None),
        ("return 7\n", 1, 1, "return 7"),
        ("x = 1\nbreak\n", 2, 1, "break"),
    ],
)
def test_a_syntax_error_has_its_place(source: str, line: int, column: int | None, text: str | None) -> None:
    error = refused(source)
    assert error.reason == "InvalidSyntax"
    assert error.message
    assert error.details["line"] == line
    if column is not None:
        assert error.details["column"] == column
    if text is not None:
        assert error.details["text"] == text


def test_a_long_sum_is_still_python() -> None:
    accepted("x = 0" + " + 1" * 300)


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        ("import qiksit", "There is no module 'qiksit' here.", "Nearest: qiskit."),
        ("import numpi as np", "There is no module 'numpi' here.", "Nearest: numpy."),
        ("import qiskit.circut", "There is no module 'qiskit.circut' here.", "Nearest: qiskit.circuit."),
        ("import scipy.linlg", "There is no module 'scipy.linlg' here.", "Nearest: scipy.linalg."),
        (
            "from qiskit.circuit.library import HGat",
            "The module 'qiskit.circuit.library' has no 'HGat'.",
            "Nearest: HGate.",
        ),
        ("from qiskit import QuantumCircut", "The module 'qiskit' has no 'QuantumCircut'.", "Nearest: QuantumCircuit."),
        ("import zzqxyw", "There is no module 'zzqxyw' here.", "NumPy"),
        ("from . import gates", "A relative import has no package to start from", "one file"),
        ("from ..lab import bell", "A relative import has no package to start from", "one file"),
        ("with open('x') as f:\n    import qiksit", "There is no module 'qiksit' here.", "Nearest: qiskit."),
        ("if __name__ == '__main__':\n    import qiksit", "There is no module 'qiksit' here.", "Nearest: qiskit."),
        ("try:\n    import qiksit\nfinally:\n    x = 1", "There is no module 'qiksit' here.", "Nearest: qiskit."),
        ("try:\n    import qiksit\nexcept ValueError:\n    x = 1", "There is no module 'qiksit'", "Nearest: qiskit."),
    ],
)
def test_an_import_that_cannot_be_had_is_named_with_the_nearest(source: str, message: str, hint: str) -> None:
    error = refused(source)
    assert error.reason == "ImportUnavailable"
    assert error.message.startswith(message)
    assert hint in error.hint
    assert "import" in error.details["text"]


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    import qiksit\nexcept ImportError:\n    qiksit = None",
        "try:\n    import qiksit\nexcept (ValueError, ModuleNotFoundError):\n    pass",
        "try:\n    import qiksit\nexcept Exception:\n    pass",
        "try:\n    import qiksit\nexcept:\n    pass",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import qiksit",
        "import typing\nif typing.TYPE_CHECKING:\n    import qiksit",
        "def plot():\n    import qiksit",
        "for name in []:\n    import qiksit",
        "import sys\nsys.modules['qiksit'] = sys\nimport qiksit",
        "import sys\nsys.path.append('/lab')\nimport qiksit",
        "from numpy import no_such_name",  # numpy makes up names as they are asked for: it tells when it runs
        "import os.path, xml.dom.minidom, importlib.metadata",
        "from qiskit import *\nfrom qiskit.circuit import library, Parameter\nfrom qiskit.circuit.library import HGate",
        "from qiskit.circuit.library.standard_gates import x, XGate",
    ],
)
def test_an_import_that_may_not_run_or_may_be_had_is_left_alone(source: str) -> None:
    accepted(source)


def test_deciding_imports_nothing() -> None:
    before = set(sys.modules)
    accepted("import xml.etree.ElementTree, sqlite3.dbapi2, wave, zipapp")
    refused("import wave, zipapp, no_such_module_at_all")
    assert set(sys.modules) == before


@pytest.mark.parametrize("dotted", moved.GONE)
def test_what_moved_is_gone_and_its_successor_told(dotted: str) -> None:
    module, _, name = dotted.rpartition(".")
    for source in (f"from {module} import {name}", f"import {dotted}") if module else (f"import {dotted}",):
        error = refused(source)
        assert error.reason == "ImportUnavailable"
        assert error.hint == moved.GONE[dotted]
    assert refused(f"import {dotted}.deeper").hint == moved.GONE[dotted]


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        ("import qiksit", "There is no module 'qiksit' here.", "Nearest: qiskit."),
        ("from qiskit import execute", "The module 'qiskit' has no 'execute'.", moved.GONE["qiskit.execute"]),
        ("from numpy import arry", "The module 'numpy' has no 'arry'.", "Nearest: array."),
        ("raise ImportError('none of my business')", "ImportError: none of my business", ""),
    ],
)
def test_an_import_that_fails_when_it_runs_is_told_alike(source: str, message: str, hint: str) -> None:
    with pytest.raises(ImportError) as caught:
        exec(source, {})
    error = imports_module.failed(caught.value, source, 1)
    assert (error.reason, error.message, error.hint) == ("ImportUnavailable", message, hint)


@pytest.mark.parametrize(
    ("source", "note"),
    [
        ("n = int(input('qubits? '))", "Line 1 reads input"),
        ("import sys\nn = sys.stdin.readline()", "Line 2 reads input"),
        ("x = 1\nwith open('counts.json') as f:\n    pass", "Line 2 opens a file: the sandbox has no files of yours"),
        ("from pathlib import Path\np = Path('x').read_text()", "Line 2 opens a file"),
        ("import numpy as np\nu = np.load('u.npy')", "Line 2 opens a file"),
        ("from numpy import loadtxt as lt\nu = lt('u.txt')", "Line 2 opens a file"),
        ("from qiskit import QuantumCircuit as Q\nqc = Q.from_qasm_file('x')", "Line 2 opens a file"),
        ("import os\nos.environ['TOKEN']", "Line 2 reads the environment: it is empty"),
        ("import os\nt = os.getenv('TOKEN')", "Line 2 reads the environment"),
        ("from os import environ as e\ne.get('TOKEN')", "Line 2 reads the environment"),
        ("import requests\nrequests.get('https://x')", "Line 2 uses the network"),
        ("from urllib.request import urlopen\nurlopen('https://x')", "Line 2 uses the network"),
        ("import urllib.request\nurllib.request.urlopen('https://x')", "Line 2 uses the network"),
        ("import socket\ns = socket.socket()", "Line 2 uses the network"),
        ("import subprocess\nsubprocess.run(['ls'])", "Line 2 starts a program"),
        ("import os\nos.system('ls')", "Line 2 starts a program"),
        ("import threading\nthreading.Thread(target=print).start()", "Line 2 starts threads or processes"),
        ("from multiprocessing import Pool\nPool(4)", "Line 2 starts threads or processes"),
        (
            "from qiskit_aer import AerSimulator\nAerSimulator().run(qc)",
            "Line 2 runs a circuit: qtasks does that itself",
        ),
        ("from qiskit import transpile\nqc = transpile(qc)", "Line 2 transpiles: qtasks compiles"),
    ],
)
def test_what_a_source_reaches_for_is_noted(source: str, note: str) -> None:
    (found,) = noted(source)
    assert found.startswith(note)


@pytest.mark.parametrize(
    "source",
    [
        "import os, socket, subprocess, threading, sys\nprint(os.path.join('a', 'b'), os.cpu_count())",
        "qc.open = 1\ninput_qubits = 3\nregister.open()",
        "class A:\n    def open(self): ...\nA().open()",
        "from qiskit_aer.noise import NoiseModel\nNoiseModel()",
        "import numpy as np\nnp.linalg.norm([1])",
    ],
)
def test_what_is_only_named_is_not_noted(source: str) -> None:
    assert noted(source) == []


def test_notes_are_one_for_each_thing_by_their_first_line() -> None:
    source = "import os\n" + "open('a')\nos.system('b')\ninput()\n" * 50
    assert [note.split(":")[0] for note in noted(source)] == [
        "Line 2 opens a file",
        "Line 3 starts a program",
        "Line 4 reads input",
    ]


def test_a_hostile_source_is_inspected_in_little_time() -> None:
    assert len(noted("x = [" + "open(input())," * 20_000 + "]")) == 2
