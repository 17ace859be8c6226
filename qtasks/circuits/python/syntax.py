"""Reading Python source: its tree, or where and why it is not Python. Nothing is run."""

from __future__ import annotations

import ast
from types import CodeType

from qtasks.circuits.errors import CircuitError, line_of


def read(source: str, filename: str) -> tuple[ast.Module, CodeType]:
    """The syntax tree of a source, and what it compiles to.

    Raises CircuitError (`InvalidSyntax`) with line, column (from 1, in characters) and the line itself.
    """
    if (nul := source.find("\0")) >= 0:
        raise _invalid("the source contains a NUL character", source, *_place(source, nul))
    try:
        tree = ast.parse(source, filename)
        return tree, compile(tree, filename, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise _invalid(error.msg or "invalid syntax", source, error.lineno, error.offset) from None
    except UnicodeEncodeError as error:
        what = "the source contains half of a surrogate pair, which is no character"
        raise _invalid(what, source, *_place(source, error.start)) from None
    except (RecursionError, MemoryError):
        # Python's parser says no more than this. What nests so deeply stands on one line: blocks have a limit of 100.
        longest = max(enumerate(source.split("\n"), 1), key=lambda numbered: len(numbered[1]))[0]
        raise _invalid("the source nests too deeply", source, longest, None) from None
    except (ValueError, OverflowError) as error:
        raise _invalid(str(error), source, None, None) from None


def _invalid(message: str, source: str, line: int | None, column: int | None) -> CircuitError:
    column = column if column and column > 0 else None
    return CircuitError(message, reason="InvalidSyntax", line=line, column=column, text=line_of(source, line))


def _place(source: str, index: int) -> tuple[int, int]:
    """Line and column, both from 1, of a character."""
    return source.count("\n", 0, index) + 1, index - source.rfind("\n", 0, index)
