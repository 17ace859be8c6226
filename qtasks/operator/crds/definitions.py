"""The four CustomResourceDefinitions: names, schema, status, columns. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qtasks.operator.crds import columns, statuses
from qtasks.operator.crds.structural import structural
from qtasks.resources.schema import json_schemas

GROUP = "quantum.io"
VERSION = "v1"

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Kind:
    kind: str
    short: str
    status: Document
    columns: list[Document]

    @property
    def plural(self) -> str:
        return f"{self.kind.lower()}s"


_KINDS = (
    _Kind("QiskitBackend", "qbackend", statuses.BACKEND, columns.BACKEND),
    _Kind("QiskitBudget", "qbudget", statuses.BUDGET, columns.BUDGET),
    _Kind("QiskitJob", "qjob", statuses.JOB, columns.JOB),
    _Kind("QiskitSession", "qsession", statuses.SESSION, columns.SESSION),
)


def definitions() -> dict[str, Document]:
    """Each CustomResourceDefinition by its plural."""
    schemas = json_schemas()
    return {each.plural: _definition(each, schemas[each.kind]) for each in _KINDS}


def _definition(each: _Kind, schema: Document) -> Document:
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": each.columns,
        "schema": {"openAPIV3Schema": _root(each, schema)},
    }
    names = {
        "kind": each.kind,
        "listKind": f"{each.kind}List",
        "plural": each.plural,
        "singular": each.kind.lower(),
        "shortNames": [each.short],
        "categories": ["qtasks"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{each.plural}.{GROUP}",
            "labels": {"app.kubernetes.io/name": "qtasks", "app.kubernetes.io/component": "crds"},
        },
        "spec": {"group": GROUP, "names": names, "scope": "Namespaced", "versions": [version]},
    }


def _root(each: _Kind, schema: Document) -> Document:
    head = {name: {"type": "string"} for name in ("apiVersion", "kind")}
    # Of metadata a structural schema says nothing: the API server's own rules hold.
    spec = structural(schema["properties"]["spec"], schema["$defs"])
    return {
        "description": schema["description"],
        "type": "object",
        "required": ["spec"],
        "properties": {**head, "metadata": {"type": "object"}, "spec": spec, "status": each.status},
    }
