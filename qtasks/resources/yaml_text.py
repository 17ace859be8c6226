"""YAML and JSON text to plain data and back, safe for text from anyone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from qtasks.resources.problems import invalid, plain

# libyaml builds nested collections on the C stack: 100,000 open brackets end the process with a segmentation fault.
DEEPEST = 64

_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class _Loader(yaml.CSafeLoader):
    """The safe loader, except that a date stays the text that was written."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


class _Dumper(yaml.CSafeDumper):
    """The safe dumper, with text of several lines as a block and nothing shortened to an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)


def read(text: str) -> list[Any]:
    """The documents of a YAML or JSON text. Raises `InvalidInput` with the line of what is wrong."""
    if text.lstrip().startswith("{"):
        try:
            return [json.loads(text, object_pairs_hook=_unique)]
        except (ValueError, RecursionError):
            pass  # YAML may begin like this too, and its reader knows the line of an error.
    try:
        _check(text)
        return list(yaml.load_all(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        raise _refused(error.problem or "not valid", error.problem_mark or error.context_mark) from None
    except yaml.YAMLError as error:
        raise invalid([plain(f"this is not YAML: {error}")]) from None
    except ValueError as error:
        # A number that Python will not read: too many digits.
        raise invalid([plain(f"this is not YAML: {str(error).split(';')[0]}")]) from None


def write(documents: Iterable[Mapping[str, Any]]) -> str:
    """The documents as YAML text, keys in their order."""
    documents = list(documents)
    return yaml.dump_all(
        documents,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=120,
        explicit_start=len(documents) > 1,
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        raise ValueError("duplicate key")
    return mapping


def _check(text: str) -> None:
    """Refuse duplicate keys, merge keys (which can be nested to grow without bound), tags, and too deep nesting."""
    keys: list[set[str] | None] = []  # the keys of each open mapping; None for an open list
    at_key: list[bool] = []
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionEndEvent):
            keys.pop()
            at_key.pop()
        elif isinstance(event, yaml.NodeEvent):
            if keys and (known := keys[-1]) is not None:
                if at_key[-1]:
                    _check_key(event, known)
                at_key[-1] = not at_key[-1]
            if getattr(event, "tag", None):
                # The constructors of the standard tags trip over what does not fit them.
                raise _refused("tags (!) are not supported", event.start_mark)
            if isinstance(event, yaml.CollectionStartEvent):
                keys.append(set() if isinstance(event, yaml.MappingStartEvent) else None)
                at_key.append(True)
                if len(keys) > DEEPEST:
                    raise _refused(f"nested more than {DEEPEST} deep", event.start_mark)


def _check_key(event: yaml.NodeEvent, known: set[str]) -> None:
    if not isinstance(event, yaml.ScalarEvent):
        raise _refused("a key must be text", event.start_mark)
    if event.value == "<<":
        raise _refused("merge keys (<<) are not supported", event.start_mark)
    if event.value in known:
        raise _refused(f'the key "{event.value[:80]}" is there twice', event.start_mark)
    known.add(event.value)


def _refused(message: str, mark: Any) -> Exception:
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return invalid([plain(f"{place}{message}")])
