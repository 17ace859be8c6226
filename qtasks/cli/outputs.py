"""What `-o` asks for: documents as JSON, YAML, names, or what a JSONPath template picks. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qtasks.cli import jsonpath
from qtasks.errors import InvalidInput

Document = Mapping[str, Any]

FORMATS = ("wide", "json", "yaml", "name", "jsonpath=TEMPLATE", "custom-columns=TITLE:PATH,…")
_PLAIN = FORMATS[:4]


@dataclass(frozen=True, slots=True)
class Output:
    """One choice of `-o`; `format` is empty for the table."""

    format: str = ""
    template: str = ""

    @property
    def tabular(self) -> bool:
        return self.format in ("", "wide")

    def text(self, document: Document) -> str:
        """The document, or list of documents, as this format writes it."""
        return _WRITERS[self.format](document, self.template)


def output(value: str | None) -> Output:
    """The choice that an option's value stands for; raises InvalidInput (reason `InvalidOutput`)."""
    # kubectl's users write -o=json as well.
    name, _, template = (value or "").removeprefix("=").partition("=")
    if name == "jsonpath" and template:
        jsonpath.evaluate(template, {})
        return Output(name, template)
    if name == "custom-columns" and template:
        columns(template)
        return Output(name, template)
    if name in ("", *_PLAIN) and not template:
        return Output(name)
    raise InvalidInput(
        f'There is no output format "{value}".', reason="InvalidOutput", hint=f"Formats: {', '.join(FORMATS)}."
    )


def listing(items: Sequence[Document]) -> Document:
    """Several documents as one, in the form of a Kubernetes list."""
    return {"apiVersion": "v1", "kind": "List", "items": list(items)}


def reference(document: Document) -> str:
    """A document as kubectl names it: `qiskitjob/my-quantum-job`."""
    return f"{document['kind'].lower()}/{document.get('metadata', document).get('name', '(unnamed)')}"


def columns(template: str) -> list[tuple[str, str]]:
    """The titles of `TITLE:PATH,…` and their JSONPath templates; raises InvalidInput (`InvalidOutput`)."""
    found = []
    # A comma inside of brackets belongs to the path.
    for part in re.split(r",(?![^\[]*\])", template):
        title, colon, path = part.partition(":")
        if not (title.strip() and colon and path.strip()):
            raise InvalidInput(
                f'"{part}" is no column.',
                reason="InvalidOutput",
                hint="Write for instance -o custom-columns=NAME:.metadata.name,COST:.status.cost.",
            )
        found.append((title.strip(), jsonpath.in_braces(path.strip())))
    for _, path in found:
        jsonpath.evaluate(path, {})
    return found


def _columns(document: Document, template: str) -> str:
    from qtasks.cli.table import table

    chosen = columns(template)
    items = document["items"] if document.get("kind") == "List" else [document]
    rows = [[jsonpath.evaluate(path, item) or "<none>" for _, path in chosen] for item in items]
    return f"{table([title for title, _ in chosen], rows).plain}\n"


def _json(document: Document, _: str) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _yaml(document: Document, _: str) -> str:
    from qtasks.resources import yaml_text

    return yaml_text.write([document])


def _name(document: Document, _: str) -> str:
    return "".join(f"{reference(item)}\n" for item in document.get("items", [document]))


def _jsonpath(document: Document, template: str) -> str:
    return jsonpath.evaluate(template, document)


_WRITERS: Mapping[str, Callable[[Document, str], str]] = {
    "json": _json,
    "yaml": _yaml,
    "name": _name,
    "jsonpath": _jsonpath,
    "custom-columns": _columns,
}
