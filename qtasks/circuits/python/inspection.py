"""What a Python source says of itself before it runs: its syntax, its imports, what it reaches for. Pure."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from types import CodeType

from qtasks.circuits.python import imports
from qtasks.circuits.python.notes import Note, notes
from qtasks.circuits.python.syntax import read

_LOADERS = frozenset(("modules", "path", "meta_path", "path_hooks"))
"""Attributes of `sys` by which a source may make up modules of its own."""
_IDLE = frozenset(("ctx", "op", "ops", "kind", "type_comment"))


@dataclass(frozen=True, slots=True)
class Inspection:
    """A source that is Python."""

    tree: ast.Module
    code: CodeType
    imports: tuple[imports.Import, ...]
    """Those that surely run, unless the source makes up modules of its own."""
    notes: tuple[Note, ...]

    def line_of(self, name: str) -> int | None:
        """The last line at the top level where `name` is given a value, counted from 1."""
        lines = [
            node.lineno
            for statement in self.tree.body
            for node in ast.walk(statement)
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
        ]
        return max(lines, default=None)


def inspect(source: str, filename: str) -> Inspection:
    """Reads a source; nothing is run or imported.

    Raises CircuitError (`InvalidSyntax`) with line, column and the line itself.
    """
    tree, code = read(source, filename)
    names: dict[str, str] = {}
    calls: list[ast.Call] = []
    attributes: list[ast.Attribute] = []
    loads = False
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call):
            calls.append(node)
        elif isinstance(node, ast.Attribute):
            attributes.append(node)
            loads = loads or node.attr in _LOADERS
        elif isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
            continue
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
            continue
        elif isinstance(node, (ast.Name, ast.Constant)):
            continue
        for field in node._fields:
            if field in _IDLE:
                continue
            value = getattr(node, field, None)
            if isinstance(value, list):
                waiting.extend(item for item in value if isinstance(item, ast.AST))
            elif isinstance(value, ast.AST):
                waiting.append(value)
    certain = () if loads and "sys" in names.values() else tuple(imports.certain(tree.body))
    return Inspection(tree, code, certain, notes(names, calls, attributes))
