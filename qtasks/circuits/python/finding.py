"""Which object is the circuit, among the names that a Python source leaves behind.

**Only in a sandbox child**: it calls functions of the source's own.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from qtasks.circuits.errors import CircuitError

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

_CHOICE = "Name the one to run `qc` or `circuit`, or return it from a function `circuit()` or `build()`."
_NAMES = ("qc", "circuit")
_FUNCTIONS = ("circuit", "build")
_SHOWN = 12


def find(
    names: Mapping[str, Any],
    values: Mapping[str, float],
    line_of: Callable[[str], int | None] = lambda name: None,
) -> tuple[QuantumCircuit, frozenset[str], str]:
    """The circuit: `qc`, else `circuit`, else the only QuantumCircuit among the names, else what a function `circuit()`
    or `build()` returns when it is called with those of `values` that it has arguments for.

    Also which of `values` a function took, and a note on what may not be as expected, or "".
    Raises CircuitError: `NoCircuit`, `AmbiguousCircuit`, `MissingArguments`.
    """
    from qiskit import QuantumCircuit

    none: frozenset[str] = frozenset()
    for name in _NAMES:
        if isinstance(names.get(name), QuantumCircuit):
            return names[name], none, ""
    found = {name: value for name, value in list(names.items()) if isinstance(value, QuantumCircuit)}
    if len({id(value) for value in found.values()}) > 1:
        raise _ambiguous(found, line_of)
    functions = [name for name in _FUNCTIONS if isinstance(names.get(name), types.FunctionType)]
    if found:
        taken = next(iter(found))
        return found[taken], none, _unexpected(names, taken, functions)
    if functions:
        return *_called(functions[0], names[functions[0]], values), ""
    raise _nothing(names)


def _called(name: str, function: types.FunctionType, values: Mapping[str, float]) -> tuple[Any, frozenset[str]]:
    from qiskit import QuantumCircuit

    arguments = _arguments(name, function, values)
    made = function(**arguments)
    if isinstance(made, QuantumCircuit):
        return made, frozenset(arguments)
    if inspect.iscoroutine(made):
        made.close()
        raise CircuitError(
            f"{name}() is asynchronous: it returns a coroutine, not a QuantumCircuit.",
            reason="NoCircuit",
            hint=f"Write `def {name}()` without async.",
        )
    raise CircuitError(
        f"{name}() returned {_described(made)}, not a QuantumCircuit.",
        reason="NoCircuit",
        hint=_one_job_each(made) or f"End {name}() with `return qc`.",
    )


def _arguments(name: str, function: types.FunctionType, values: Mapping[str, float]) -> dict[str, Any]:
    """Arguments by name: whole numbers as `int`, for those that count qubits or layers."""
    parameters = inspect.signature(function).parameters.values()
    by_name = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    given = {p.name for p in by_name if p.name in values}
    required = [
        p.name
        for p in parameters
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.name not in given
    ]
    if required:
        raise CircuitError(
            f"{name}() needs values for {', '.join(required)}.",
            reason="MissingArguments",
            hint="Give them in execution.parameters by these names, or give the arguments defaults.",
        )
    return {
        p.name: int(value) if (value := values[p.name]).is_integer() and p.annotation not in (float, "float") else value
        for p in by_name
        if p.name in given
    }


def _ambiguous(found: Mapping[str, QuantumCircuit], line_of: Callable[[str], int | None]) -> CircuitError:
    listed = []
    for name in sorted(found)[:_SHOWN]:
        count = found[name].num_qubits
        line = line_of(name)
        place = "" if line is None else f", line {line}"
        listed.append(f"{name[:80]} ({count} qubit{'' if count == 1 else 's'}{place})")
    if len(found) > _SHOWN:
        listed.append(f"{len(found) - _SHOWN} more")
    return CircuitError(
        f"The source makes several circuits: {', '.join(listed)}.", reason="AmbiguousCircuit", hint=_CHOICE
    )


def _nothing(names: Mapping[str, Any]) -> CircuitError:
    for name in _NAMES:
        if name in names and not isinstance(names[name], types.ModuleType):
            return CircuitError(
                f"`{name}` is {_described(names[name])}, not a QuantumCircuit.",
                reason="NoCircuit",
                hint=_one_job_each(names[name]) or f"Assign the circuit to the name `{name}`.",
            )
    return CircuitError(
        "The source makes no QuantumCircuit.", reason="NoCircuit", hint="Assign the circuit to the name `qc`."
    )


def _unexpected(names: Mapping[str, Any], taken: str, functions: list[str]) -> str:
    for name in _NAMES:
        if name in names and name not in functions and not isinstance(names[name], types.ModuleType):
            return f"`{name}` is {_described(names[name])}, not a circuit: `{taken[:80]}` was taken."
    if functions:
        return f"`{taken[:80]}` was taken, the only circuit that the source makes; {functions[0]}() was not called."
    return ""


def _described(value: Any) -> str:
    if isinstance(value, list | tuple | dict | set):
        return f"a {type(value).__name__[:80]} of {len(value)}"
    return f"of type {type(value).__name__[:80]}"


def _one_job_each(value: Any) -> str:
    from qiskit import QuantumCircuit

    if isinstance(value, list | tuple) and any(isinstance(item, QuantumCircuit) for item in value):
        return "A job runs one circuit: submit each as its own job."
    return ""
