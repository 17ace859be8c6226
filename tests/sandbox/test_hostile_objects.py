"""Attacks through objects: exceptions, gates and circuits whose methods lie, raise, loop or end the process; hooks that
outlive a source's last line."""

from __future__ import annotations

import pytest

from qtasks.circuits.sandbox import Checked, Limits, Rejected
from tests.sandbox.users import Attacked

LIMITS = Limits(wall_seconds=1, memory_bytes=256 << 20)
START = "from qiskit import QuantumCircuit\nfrom qiskit.circuit import *\nqc = QuantumCircuit(1, 1)\n"
END = "\nqc.measure(0, 0)\n"

EXCEPTIONS = {
    "its text raises": "class E(Exception):\n    def __str__(self): raise ValueError\nraise E",
    "its text exits": "class E(Exception):\n    def __str__(self): raise SystemExit\nraise E",
    "its text is no text": "class E(Exception):\n    def __str__(self): return 7\nraise E",
    "its text is huge": "raise ValueError('x' * 10**7)",
    "its text is half a character": "raise ValueError('\\ud800')",
    "its text is control characters": "raise ValueError('\\x1b[2J\\x00\\x07\\u202e')",
    "its text lies about its length": "class S(str):\n    def __getitem__(self, _): return 'x' * 10**7\n"
    "class E(Exception):\n    def __str__(self): return S('x')\nraise E",
    "its name is huge": "raise type('E' * 10**6, (Exception,), {})",
    "its name is half a character": "raise type('\\ud800', (Exception,), {})",
    "exit": "exit(0)",
    "exit with an object": "raise SystemExit(object())",
    "interrupt": "raise KeyboardInterrupt",
    "generator exit": "raise GeneratorExit",
    "group": "raise BaseExceptionGroup('g', [SystemExit(), KeyboardInterrupt()])",
    "chain": "error = None\nfor n in range(10**5):\n    new = ValueError(n); new.__context__ = error; error = new\n"
    "raise error",
    "circle": "a, b = ValueError(), ValueError()\na.__cause__, b.__cause__ = b, a\nraise a",
    "traceback": "error = ValueError()\nerror.__traceback__ = None\nraise error",
    "a module that is no module": "import sys\nsys.modules['qtasks.circuits.errors'] = None\nraise ValueError",
    "no memory": "raise MemoryError",
    "a base of its own": "class E(BaseException): pass\nraise E",
    "its class lies": "class E(Exception):\n    __class__ = property(lambda self: 1 / 0)\nraise E",
    "while another is raised": "try: 1 / 0\nfinally: raise RuntimeError('finally')",
    "an error of the sandbox": "from qtasks.circuits.errors import CircuitError\n"
    "raise CircuitError('x' * 10**6, reason='Completed')",
}
OBJECTS = {
    "its text loops": "class E(Exception):\n    def __str__(self):\n        while True: pass\nraise E",
    "its end exits": "import os\nclass E:\n    def __del__(self): os._exit(3)\nE()",
    "its comparison loops": "class N(str):\n    def __eq__(self, _):\n        while True: pass\n"
    "    __hash__ = str.__hash__\nqc.add_register(ClassicalRegister(1, N('c')))",
    "its class is a circuit's": "class Fake:\n    __class__ = QuantumCircuit\nqc = Fake()",
    "its class raises": "class Fake:\n    @property\n    def __class__(self): raise SystemExit\nqc = Fake()",
    "a function that returns none": "del qc\ndef circuit(): return None",
    "a function that calls itself": "del qc\ndef circuit(): return circuit()",
    "a function that wants something": "del qc\ndef circuit(x): return x",
    "a circuit without data": "class C(QuantumCircuit):\n    data = property(lambda self: 1 / 0)\nqc = C(1, 1)",
    "a circuit with other data": "class C(QuantumCircuit):\n    data = property(lambda self: [None])\nqc = C(1, 1)",
    "a circuit of no length": "class C(QuantumCircuit):\n    num_qubits = -1\nqc = C(1, 1)",
    "a circuit whose name is no name": "qc.name = object()",
    "its metadata": "class M(dict):\n    def __len__(self): 1 / 0\nqc.metadata = M(a=M())",
    "a qubit of another": "qc._data = None",
    "a parameter that is none": "qc.rx(float('nan'), 0)\nqc.rx(float('inf'), 0)\nqc.global_phase = 'x'",
    "names that it takes away": "import builtins\nfor name in list(vars(builtins)): delattr(builtins, name)",
    "modules that it takes away": "import sys\nsys.modules.clear()",
    "no more output": "import sys\nsys.stdout = sys.stderr = None",
    "no more frames": "import sys\nsys.settrace(lambda *a: 1 / 0)\nsys.setprofile(lambda *a: 1 / 0)",
    "no more exceptions": "import builtins\nbuiltins.BaseException = builtins.Exception = int",
    "a hook for the end": "import atexit, sys\natexit.register(lambda: print(1 / 0))\nsys.excepthook = None\n1 / 0",
    "a hook for imports": "import sys\nclass F:\n    def find_spec(self, *a): exit()\nsys.meta_path[:] = [F()]",
    "a hook for audits": "import sys\ndef hook(*a): raise SystemExit\nsys.addaudithook(hook)",
    "a hook for warnings": "import warnings\nwarnings.showwarning = exit\nwarnings.simplefilter('error')",
    "a hook for collections": "import gc\ngc.callbacks.append(exit)\ngc.set_threshold(1)",
    "a signal of its own": "import signal\nsignal.signal(signal.SIGALRM, exit)\nsignal.raise_signal(signal.SIGALRM)",
}
GATES = {
    "its definition raises": "class G(Gate):\n    def _define(self): raise SystemExit\nqc.append(G('g', 1, []), [0])",
    "its definition is none": "class G(Gate):\n    definition = 7\n"
    "    __init__ = lambda s: Gate.__init__(s, 'g', 1, [])\nqc.append(G(), [0])",
    "its definition is another's": "g = Gate('g', 1, [])\ng.definition = QuantumCircuit(5, 5)\nqc.append(g, [0])",
    "its name is none": "class G(Gate):\n    name = property(lambda s: object(), lambda s, v: None)\n"
    "qc.append(G('g', 1, []), [0])",
    "its name changes": "import itertools\nn = itertools.count()\nclass G(Gate):\n"
    "    name = property(lambda s: str(next(n)), lambda s, v: None)\nqc.append(G('g', 1, []), [0])",
    "its name is long": "qc.append(Gate('g' * 10**6, 1, []), [0])",
    "its qubits are many": "class G(Gate):\n    num_qubits = property(lambda s: 10**9, lambda s, v: None)\n"
    "qc.append(G('g', 1, []), [0])",
    "its parameters raise": "class G(Gate):\n    params = property(lambda s: 1 / 0, lambda s, v: None)\n"
    "qc.append(G('g', 1, []), [0])",
    "its parameters are objects": "qc.append(Gate('g', 1, [object(), {}]), [0])",
    "its parameters contain it": "p = []\np.append(p)\nqc.append(Gate('g', 1, [p]), [0])",
    "its base class": "class G(Gate):\n    base_class = property(lambda s: exit())\nqc.append(G('g', 1, []), [0])",
    "it copies itself": "class G(Gate):\n    def __deepcopy__(self, _):\n        while True: pass\n"
    "    copy = __deepcopy__\n    to_mutable = __deepcopy__\nqc.append(G('g', 1, []), [0])",
    "it reduces to a call": "import os\nclass G(Gate):\n    def __reduce__(self): return os._exit, (3,)\n"
    "qc.append(G('g', 1, []), [0])",
    "its array is large": "import numpy\nclass G(Gate):\n"
    "    def __array__(self, *a, **k): return numpy.zeros((1 << 20, 1 << 20))\n"
    "qc.append(G('g', 1, []), [0])",
    "it is controlled by all": "from qiskit.circuit.library import XGate\nclass G(ControlledGate): pass\n"
    "g = XGate().control(1)\ng._ctrl_state = 10**30\nqc.add_register(QuantumRegister(1))\nqc.append(g, [0, 1])",
}
OF_THE_SOURCE = {"SourceError", "InvalidCircuit", "NoCircuit", "SandboxCrashed", "SandboxMemory", "TooLarge"}
OF_A_LOOP = {*OF_THE_SOURCE, "ValidationTimeout", "NothingMeasured", "UnboundParameters"}


@pytest.mark.system
def test_an_exception_of_any_kind_is_the_source_s_own_failure(attacked: Attacked) -> None:
    found = attacked.reasons(EXCEPTIONS, LIMITS)
    # It may fall to pieces where it breaks the interpreter, but a plain message must be told.
    assert {name: reason for name, reason in found.items() if reason not in OF_THE_SOURCE} == {}
    for name in ("its text raises", "exit", "interrupt", "group", "chain", "circle", "its text is huge"):
        assert found[name] == "SourceError", name


@pytest.mark.system
def test_what_an_exception_says_is_cut_and_is_text(attacked: Attacked) -> None:
    for name in EXCEPTIONS:
        answer = attacked.ask(EXCEPTIONS[name], LIMITS)
        assert isinstance(answer, Rejected), name
        assert len(answer.message) <= 2000 and len(answer.output) < 70_000, name
        (answer.message + answer.output + (answer.text or "")).encode()


@pytest.mark.system
def test_a_hostile_object_is_a_circuit_like_any_other_or_its_source_s_failure(attacked: Attacked) -> None:
    """What a source does to its interpreter it does to itself; if a circuit comes out, another child has read it."""
    for table in (OBJECTS, GATES):
        found = attacked.reasons({name: f"{START}{source}{END}" for name, source in table.items()}, LIMITS)
        assert {name: reason for name, reason in found.items() if reason not in {*OF_A_LOOP, "ok"}} == {}


LYING = """
class Lying(Gate):
    def __init__(self, name):
        super().__init__(name, 1, [])
    def _define(self):
        self.definition = QuantumCircuit(1)
        self.definition.x(0)
"""


@pytest.mark.system
def test_what_comes_of_a_hostile_gate_is_what_its_bytes_say(attacked: Attacked) -> None:
    """A gate of a Python class of its own is, on the other side, a plain gate with a name and a definition."""
    answer = attacked.ask(f"{START}{LYING}qc.append(Lying('mine'), [0]){END}", LIMITS)
    assert isinstance(answer, Checked)
    assert b"Lying" not in answer.qpy and answer.analysis.gates == {"mine": 1, "measure": 1}


@pytest.mark.system
def test_a_gate_cannot_pass_for_one_of_qiskit_s_own(attacked: Attacked) -> None:
    assert attacked.reason(f"{START}{LYING}qc.append(Lying('h'), [0]){END}", LIMITS) == "ReservedName"


@pytest.mark.parametrize("source", ["raise ValueError('\\ud800')", "print('\\ud800')\nraise ValueError"])
def test_half_a_character_is_told_as_something_else(attacked: Attacked, source: str) -> None:
    assert attacked.reason(source) == "SourceError"


def test_an_exception_that_cannot_be_shown_is_still_told_with_its_line(attacked: Attacked) -> None:
    answer = attacked.ask(EXCEPTIONS["its text exits"], LIMITS)
    assert isinstance(answer, Rejected)
    assert (answer.reason, answer.line, answer.text) == ("SourceError", 3, "raise E")


def test_hooks_of_a_source_do_not_run_in_the_next_child(attacked: Attacked) -> None:
    hooks = "import atexit, gc, sys\natexit.register(print, 'gone')\nsys.excepthook = sys.unraisablehook = None\n"
    assert attacked.told(hooks + "gc.callbacks.append(lambda *a: 1 / 0)\nsys.addaudithook(lambda *a: 1 / 0)") == ""
    assert attacked.told("import gc, sys\nprint(gc.callbacks, sys.excepthook is sys.__excepthook__)") == "[] True\n"
