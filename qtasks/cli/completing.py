"""What may stand where the cursor is, for the shell's TAB. Pure: the commands, the words so far and the known names in,
candidates out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from qtasks.cli.nouns import Kind, kind_of
from qtasks.cli.sorting import SORT_KEYS
from qtasks.lifecycle import Queue, Stage

FILES = ":files"
"""Stands for: the shell's own completion of file names."""

Candidate = tuple[str, str]
"""A word, and what it means in a line; the latter may be empty."""
Names = Callable[[str, str], Sequence[str]]
"""From a kind, or `namespaces`, and a namespace to the names that are known."""

_NAMESPACES = "namespaces"
_DEFAULT_NAMESPACE = "default"
_NAMED_BY_OPTION = {"--namespace": _NAMESPACES, "--account": Kind.ACCOUNTS, "--job-id": Kind.JOBS}
_OUTPUTS = ("wide", "json", "yaml", "name", "jsonpath=", "custom-columns=")
_FOR = ("Completed", "final", "phase=", "condition=", "jsonpath=")
_FIXED = {
    "--for": _FOR,
    "--stages": tuple(Stage),
    "--queues": tuple(Queue),
    "--role": ("viewer", "submitter", "operator", "admin"),
    "--by": ("namespace", "cost-center", "backend", "account", "label=", "month", "job"),
    "--loglevel": ("debug", "info", "warning", "error"),
}
_KINDS = {
    "get": tuple(Kind),
    "describe": tuple(Kind),
    "delete": (Kind.SESSIONS, Kind.BUDGETS, Kind.BACKENDS),
}
"""The verbs that take a kind before names; of all others with such an argument the names are jobs'."""
_THINGS = "what"
"""What commands call the argument that takes names of things."""


@dataclass
class _Line:
    """How far the words before the cursor go: the command, what was given to it, and the option that wants a value."""

    command: Any
    path: list[str] = field(default_factory=list)
    positional: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    open: Any = None
    rest: bool = False
    """Whether `--` was given: what follows is no option."""


def candidates(root: Any, words: Sequence[str], names: Names) -> list[Candidate]:
    """The candidates for the last of `words`, which may be empty; the words begin after the program's name."""
    *before, word = words or [""]
    line = _Line(root)
    for each in before:
        _take(line, each)
    return [found for found in _possible(line, word, names) if found[0] == FILES or found[0].startswith(word)]


def _take(line: _Line, word: str) -> None:
    if line.open is not None:
        line.options[_long(line.open)] = word
        line.open = None
    elif word == "--" and not line.rest:
        line.rest = True
    elif word.startswith("-") and not line.rest:
        name, equals, value = word.partition("=")
        option = _option(line.command, name)
        if option is None:
            return
        if equals or option.is_flag:
            line.options[_long(option)] = value
        else:
            line.open = option
    elif commands := getattr(line.command, "commands", None):
        line.path.append(word)
        line.command = commands.get(word)
    else:
        line.positional.append(word)


def _possible(line: _Line, word: str, names: Names) -> Iterator[Candidate]:
    if line.command is None:
        return
    if line.open is not None:
        yield from _values(line.open, line, names)
    elif word.startswith("--") and "=" in word and not line.rest:
        name, _, _ = word.partition("=")
        option = _option(line.command, name)
        found = [] if option is None or option.is_flag else _values(option, line, names)
        yield from ((f"{name}={value}" if value != FILES else FILES, says) for value, says in found)
    elif word.startswith("-") and not line.rest:
        yield from _options(line)
    elif commands := getattr(line.command, "commands", None):
        yield from ((name, _brief(command.help)) for name, command in commands.items() if not command.hidden)
    else:
        yield from _arguments(line, word, names)


def _options(line: _Line) -> Iterator[Candidate]:
    for parameter in line.command.params:
        if parameter.param_type_name == "option" and not parameter.hidden:
            long = _long(parameter)
            if parameter.multiple or long not in line.options:
                yield long, _brief(parameter.help)
    yield "--help", "Show this message and exit."


def _values(option: Any, line: _Line, names: Names) -> Iterator[Candidate]:
    long = _long(option)
    choices = option.type_descriptor.choices
    if long in _NAMED_BY_OPTION:
        yield from ((name, "") for name in names(_NAMED_BY_OPTION[long], _namespace(line)))
    elif long == "--backend" and line.path == ["get"]:
        yield from ((name, "") for name in names(Kind.BACKENDS, _namespace(line)))
    elif long == "--sort-by":
        yield from ((key, "") for key in SORT_KEYS)
    elif long in _FIXED:
        yield from ((value, "") for value in _FIXED[long])
    elif choices is not None:
        yield from ((str(getattr(choice, "value", choice)), "") for choice in choices)
    elif option.type_descriptor.is_path or "FILE" in (option.metavar or ""):
        yield FILES, ""
    elif long == "--output":
        yield from ((value, "") for value in _OUTPUTS)


def _arguments(line: _Line, word: str, names: Names) -> Iterator[Candidate]:
    arguments = [one for one in line.command.params if one.param_type_name == "argument"]
    if not arguments:
        return
    last = arguments[min(len(line.positional), len(arguments) - 1)]
    if last.name == _THINGS:
        yield from _things(line, word, names)
    elif len(line.positional) < len(arguments):
        choices = last.type_descriptor.choices
        if last.type_descriptor.is_path:
            yield FILES, ""
        elif choices is not None:
            yield from ((str(getattr(choice, "value", choice)), "") for choice in choices)


def _things(line: _Line, word: str, names: Names) -> Iterator[Candidate]:
    kinds = _KINDS.get(line.path[0], ())
    first, *others = line.positional or [""]
    noun, slash, _ = word.partition("/")
    if slash:
        kind = kind_of(noun)
        if kind is not None:
            yield from ((f"{noun}/{name}", "") for name in names(kind, _namespace(line)))
        return
    kind = kind_of(first)
    if kind is not None or (first and line.path[0] != "get"):
        taken = {first, *others}
        found = names(kind or Kind.JOBS, _namespace(line))
        yield from ((name, "") for name in found if name not in taken)
        return
    if not first:
        yield from ((str(kind), "") for kind in kinds)
        if not kinds or line.path[0] == "describe":
            yield from ((name, "") for name in names(Kind.JOBS, _namespace(line)))


def _namespace(line: _Line) -> str:
    return line.options.get("--namespace") or _DEFAULT_NAMESPACE


def _option(command: Any, name: str) -> Any:
    parameters = [] if command is None else command.params
    return next((one for one in parameters if one.param_type_name == "option" and name in one.opts), None)


def _long(option: Any) -> str:
    return str(max(option.opts, key=len))


def _brief(text: str | None) -> str:
    """The first sentence, without what Markdown has for code."""
    line = (text or "").strip().partition("\n")[0]
    return line.partition(". ")[0].rstrip(".").replace("`", "")
