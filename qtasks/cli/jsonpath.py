"""JSONPath templates as kubectl takes them: `{.status.phase}`, `{range .items[*]}{.metadata.name}{"\\n"}{end}`. Pure.

The syntax is that of https://kubernetes.io/docs/reference/kubectl/jsonpath/. As there, what is missing prints nothing.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from qtasks.cli import jsonpath_steps as walk
from qtasks.cli.jsonpath_steps import Step
from qtasks.errors import InvalidInput

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_ACTION = re.compile(rf"(?:{_QUOTED}|[^{{}}\"'])*")
_ITEM = re.compile(
    rf"\s*(?:(?P<text>{_QUOTED})|(?P<end>end)\b|range\s+(?P<range>[^\s].*)|(?P<path>[.$@\[]))", re.DOTALL
)
_FIELD = re.compile(r"(?:[^\s.\[\]{}()\\=!<>,'\"]|\\.)+")
_TEXT = re.compile(_QUOTED)
_LITERAL = re.compile(rf"{_QUOTED}|[^\s)=!<>]+")
_INDEX = re.compile(r"-?\d+")
_SLICE = re.compile(r"(-?\d+)?\s*:\s*(-?\d+)?(?:\s*:\s*(-?\d+)?)?")
_OPERATORS = {"==": operator.eq, "!=": operator.ne, "<=": operator.le, ">=": operator.ge, "<": operator.lt}
_OPERATORS[">"] = operator.gt


@dataclass
class _Block:
    """Parts of a template in order: text, a path, or a block that is repeated for each value of its own path."""

    path: Sequence[Step] = ()
    parts: list[str | Sequence[Step] | _Block] = field(default_factory=list)


def evaluate(template: str, document: Any) -> str:
    """The text that a template gives for a document; raises InvalidInput (reason `InvalidJSONPath`)."""
    return "".join(_text(_parse(template), document, document))


def in_braces(path: str) -> str:
    """A bare path such as `.metadata.name` as a template."""
    return path if path.startswith("{") else f"{{{path if path[:1] in '.$@[' else f'.{path}'}}}"


def values(path: str, document: Any) -> list[Any]:
    """What a path, bare or in braces, finds in a document; raises InvalidInput (reason `InvalidJSONPath`)."""
    parts = _parse(in_braces(path)).parts
    steps = [part for part in parts if not isinstance(part, (str, _Block))]
    return [value for step in steps for value in _follow(step, document, document)]


def _text(block: _Block, current: Any, root: Any) -> Iterator[str]:
    for part in block.parts:
        if isinstance(part, str):
            yield part
        elif isinstance(part, _Block):
            for value in _follow(part.path, current, root):
                yield from _text(part, value, root)
        else:
            yield " ".join(map(_shown, _follow(part, current, root)))


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _follow(path: Sequence[Step], current: Any, root: Any) -> list[Any]:
    values = [current]
    for step in path:
        values = step(values, root)
    return values


def _parse(template: str) -> _Block:
    open_blocks = [_Block()]
    place = 0
    while (start := template.find("{", place)) >= 0:
        open_blocks[-1].parts.append(template[place:start])
        action = _ACTION.match(template, start + 1)
        assert action is not None, "the pattern matches nothing as well"
        if not template.startswith("}", action.end()):
            _refuse("a brace is not closed", template[start:])
        _Actions(action[0], open_blocks).read()
        place = action.end() + 1
    if len(open_blocks) > 1:
        _refuse("a range has no {end}", template)
    if place == 0:
        _refuse("an expression stands in braces, such as {.status.phase}", template)
    open_blocks[-1].parts.append(template[place:])
    return open_blocks[0]


class _Actions:
    """A reader of what stands in one pair of braces."""

    def __init__(self, text: str, open_blocks: list[_Block]) -> None:
        self._text = text
        self._place = 0
        self._blocks = open_blocks

    def read(self) -> None:
        while self._text[self._place :].strip():
            item = _ITEM.match(self._text, self._place) or self._wrong("an expression starts with a dot")
            if item["text"]:
                self._place = item.end()
                self._blocks[-1].parts.append(_unquoted(item["text"]))
            elif item["end"]:
                self._place = item.end()
                if len(self._blocks) == 1:
                    self._wrong("{end} without a range")
                self._blocks.pop()
            elif item["range"]:
                self._place = item.start("range")
                block = _Block(self._path())
                self._blocks[-1].parts.append(block)
                self._blocks.append(block)
            else:
                self._place = item.start("path")
                self._blocks[-1].parts.append(self._path())

    def _path(self) -> list[Step]:
        steps: list[Step] = []
        if self._take("$"):
            steps.append(lambda values, root: [root])
        else:
            self._take("@")
        while self._place < len(self._text):
            if self._take(".."):
                steps += [walk.descend, self._name() if not self._text.startswith("[", self._place) else walk.same]
            elif self._take("."):
                if not self._text.startswith("[", self._place):
                    steps += [self._name()] if self._text[self._place : self._place + 1].strip() else []
            elif self._take("["):
                steps.append(self._subscript())
            else:
                break
        return steps

    def _name(self) -> Step:
        if self._take("*"):
            return walk.every
        name = _FIELD.match(self._text, self._place) or self._wrong("a field's name is missing")
        self._place = name.end()
        return walk.named(re.sub(r"\\(.)", r"\1", name[0]))

    def _subscript(self) -> Step:
        if self._take("?("):
            return self._filter()
        choices = [self._choice()]
        while self._take(","):
            choices.append(self._choice())
        self._close("]")
        return lambda values, root: [found for choice in choices for found in choice(values, root)]

    def _choice(self) -> Step:
        self._blank()
        if self._take("*"):
            return walk.every
        if quoted := _TEXT.match(self._text, self._place):
            self._place = quoted.end()
            names = _unquoted(quoted[0])
            return lambda values, root: walk.dotted(values, names)
        if slicing := _SLICE.match(self._text, self._place):
            self._place = slicing.end()
            numbers = [None if number is None else int(number) for number in slicing.groups()]
            if numbers[2] == 0:
                self._wrong("a step of 0")
            return walk.cut(slice(*numbers))
        index = _INDEX.match(self._text, self._place) or self._wrong("a number, a name in quotes or * is wanted")
        self._place = index.end()
        return walk.at(int(index[0]))

    def _filter(self) -> Step:
        left = self._operand()
        self._blank()
        sign = next((sign for sign in _OPERATORS if self._take(sign)), None)
        right = self._operand() if sign else None
        self._close(")")
        self._close("]")

        def holds(element: Any, root: Any) -> bool:
            found = left(element, root)
            if sign is None or right is None:
                return bool(found)
            wanted = right(element, root)
            return bool(found and wanted) and walk.compare(_OPERATORS[sign], found[0], wanted[0])

        return lambda values, root: [e for value in values for e in walk.elements(value) if holds(e, root)]

    def _operand(self) -> Callable[[Any, Any], list[Any]]:
        self._blank()
        if self._text[self._place : self._place + 1] in ("@", "$", "."):
            path = self._path()
            return lambda element, root: _follow(path, element, root)
        literal = _LITERAL.match(self._text, self._place) or self._wrong("a value is wanted")
        self._place = literal.end()
        value = _literal(literal[0])
        return lambda element, root: [value]

    def _take(self, sign: str) -> bool:
        if self._text.startswith(sign, self._place):
            self._place += len(sign)
            return True
        return False

    def _blank(self) -> None:
        while self._text[self._place : self._place + 1].isspace():
            self._place += 1

    def _close(self, sign: str) -> None:
        self._blank()
        if not self._take(sign):
            self._wrong(f'"{sign}" is missing')

    def _wrong(self, what: str) -> NoReturn:
        _refuse(what, self._text[self._place :] or self._text)


def _literal(text: str) -> Any:
    if text[0] in "'\"":
        return _unquoted(text)
    try:
        return json.loads(text)
    except ValueError:
        return text


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text[1:-1], flags=re.DOTALL)


def _refuse(what: str, where: str) -> NoReturn:
    raise InvalidInput(
        f"The JSONPath template makes no sense: {what}, at: {where.strip()}",
        reason="InvalidJSONPath",
        hint="""Write for instance -o jsonpath='{range .items[*]}{.metadata.name}{"\\n"}{end}'.""",
    )
