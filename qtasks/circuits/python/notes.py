"""Notes on what a Python source tries to reach and a sandbox does not give: read from its text, before it runs."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MOST = 8
"""Notes on one source: one for each thing that it reaches for."""
CHARACTERS = 300

_INPUT = "reads input: nobody is there to give it, so this will fail."
_FILES = "opens a file: the sandbox has no files of yours, so this will fail."
_ENVIRONMENT = "reads the environment: it is empty in the sandbox."
_NETWORK = "uses the network: the sandbox has none, so this will fail."
_PROGRAMS = "starts a program: the sandbox does not allow that, so this will fail."
_THREADS = "starts threads or processes: the sandbox does not allow that, so this will fail."
_RUNS = "runs a circuit: qtasks does that itself and takes only the circuit, so this may be left out."
_TRANSPILES = "transpiles: qtasks compiles for its backend itself, so this may be left out."

_NAMES = {
    _INPUT: "input getpass.getpass sys.stdin fileinput.input",
    _FILES: """
        open io.open os.open os.listdir os.scandir os.walk os.remove os.unlink os.rename os.mkdir os.makedirs os.rmdir
        os.chdir os.stat shutil tempfile glob.glob gzip.open bz2.open lzma.open zipfile.ZipFile tarfile.open
        sqlite3.connect numpy.load numpy.loadtxt numpy.genfromtxt numpy.fromfile numpy.memmap numpy.save numpy.savez
        numpy.savetxt pandas.read_csv pandas.read_json scipy.io qiskit.QuantumCircuit.from_qasm_file qiskit.qasm2.load
        qiskit.qasm3.load""",
    _ENVIRONMENT: "os.environ os.getenv",
    _NETWORK: """
        socket ssl urllib.request http requests httpx aiohttp urllib3 ftplib smtplib imaplib poplib xmlrpc websocket
        websockets boto3 qiskit_ibm_runtime qiskit_ibm_provider qiskit.IBMQ""",
    _PROGRAMS: """
        subprocess os.system os.popen os.execl os.execv os.execve os.execvp os.spawnl os.spawnv os.posix_spawn
        pty.spawn""",
    _THREADS: "threading.Thread threading.Timer multiprocessing concurrent.futures os.fork _thread joblib",
    _RUNS: """
        qiskit.execute qiskit.Aer qiskit.BasicAer qiskit_aer.Aer qiskit_aer.AerSimulator qiskit_aer.QasmSimulator
        qiskit_aer.StatevectorSimulator qiskit_aer.UnitarySimulator qiskit_aer.primitives
        qiskit.primitives.StatevectorSampler qiskit.primitives.StatevectorEstimator qiskit.primitives.BackendSamplerV2
        qiskit.primitives.BackendEstimatorV2 qiskit.providers.basic_provider.BasicSimulator""",
    _TRANSPILES: """
        qiskit.transpile qiskit.compiler.transpile qiskit.transpiler.generate_preset_pass_manager
        qiskit.transpiler.preset_passmanagers.generate_preset_pass_manager""",
}
_REACHES = {name: text for text, names in _NAMES.items() for name in names.split()}
"""What a source reaches for by a dotted name, or by anything below it."""
_READ_BY_NAME = frozenset(("sys.stdin", "os.environ"))
"""What is reached for without a call."""
_METHODS = frozenset(("read_text", "write_text", "read_bytes", "write_bytes"))
"""Methods of a path, whatever it is called."""


@dataclass(frozen=True, slots=True)
class Note:
    """What is on a line, counted from 1."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"Line {self.line} {self.text}"


def notes(names: Mapping[str, str], calls: Sequence[ast.Call], attributes: Sequence[ast.Attribute]) -> tuple[Note, ...]:
    """The first line for each thing that a source reaches for, in the order of lines.

    `names`: what its imports call things, as in `{"np": "numpy"}`.
    """
    found: dict[str, int] = {}
    for call in calls:
        reached = _reached(call.func, names)
        if reached is None and isinstance(call.func, ast.Attribute) and call.func.attr in _METHODS:
            reached = _FILES
        if reached is not None:
            found[reached] = min(call.lineno, found.get(reached, call.lineno))
    for attribute in attributes:
        if _dotted(attribute, names) in _READ_BY_NAME:
            reached = _REACHES[_dotted(attribute, names)]
            found[reached] = min(attribute.lineno, found.get(reached, attribute.lineno))
    return tuple(sorted((Note(line, text) for text, line in found.items()), key=lambda note: note.line)[:MOST])


def _reached(function: ast.expr, names: Mapping[str, str]) -> str | None:
    dotted = _dotted(function, names)
    while dotted:
        if dotted in _REACHES:
            return _REACHES[dotted]
        dotted = dotted.rpartition(".")[0]
    return None


def _dotted(node: ast.expr, names: Mapping[str, str]) -> str:
    """`np.linalg.norm` as `numpy.linalg.norm`; empty for what is no such chain of names."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    first = names.get(node.id, "" if parts else node.id)  # a name without a dot may be a builtin
    return ".".join([first, *reversed(parts)]) if first else ""
