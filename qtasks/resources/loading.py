"""Resources from YAML, JSON, files and mappings, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from qtasks.resources import yaml_text
from qtasks.resources.backend import QiskitBackend
from qtasks.resources.budget import QiskitBudget
from qtasks.resources.job import QiskitJob
from qtasks.resources.problems import Problem, invalid, not_allowed, plain, problems_of, required
from qtasks.resources.resource import Resource
from qtasks.resources.session import QiskitSession

KINDS: dict[str, type[Resource]] = {
    "QiskitJob": QiskitJob,
    "QiskitSession": QiskitSession,
    "QiskitBudget": QiskitBudget,
    "QiskitBackend": QiskitBackend,
}

# What a server adds to a document: dropped, so that what `get -o yaml` prints can be applied.
SERVER_METADATA = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generation",
        "managedFields",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)


def load(source: str | Path | Mapping[str, Any]) -> list[Resource]:
    """All resources of a YAML or JSON text, of a file, or of one mapping, in their order.

    A string is a path when it is one line that ends in .yaml, .yml or .json; use `load_text` for a text that comes
    from elsewhere. A list as `get -o yaml` prints it (`items`) counts as its items. Raises `InvalidInput`, which
    names every problem of every document.
    """
    if isinstance(source, Mapping):
        return _parse_all([source])
    if isinstance(source, Path) or ("\n" not in source and source.endswith((".yaml", ".yml", ".json"))):
        return load_text(_read(Path(source)))
    return load_text(source)


def load_text(text: str) -> list[Resource]:
    """All resources of a YAML or JSON text, in their order; never opens a file. Raises `InvalidInput`."""
    return _parse_all(yaml_text.read(text))


def parse(document: Mapping[str, Any]) -> Resource:
    """The resource that a mapping with camelCase keys describes. Raises `InvalidInput`."""
    found = _parse(document)
    if isinstance(found, list):
        raise invalid(found)
    return found


def dump(resource: Resource) -> dict[str, Any]:
    """What was set in a resource, with camelCase keys in their order and values as the user wrote them."""
    head = {"apiVersion": resource.api_version, "kind": resource.kind}
    return head | resource.model_dump(mode="json", by_alias=True, exclude_unset=True)


def to_yaml(*resources: Resource) -> str:
    """The resources as YAML documents."""
    return yaml_text.write(map(dump, resources))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise invalid([plain(f"{path} is not a UTF-8 text")]) from None
    except OSError as error:
        raise invalid([plain(f"{path} cannot be read: {error.strerror}")]) from None


def _parse_all(documents: Sequence[Any]) -> list[Resource]:
    single = list(_singles(documents))
    if not single:
        raise invalid([plain("there is no resource in it")])
    resources: list[Resource] = []
    problems: list[Problem] = []
    for number, document in enumerate(single, start=1):
        found = _parse(document)
        if isinstance(found, Resource):
            resources.append(found)
        else:
            problems += found if len(single) == 1 else [{**problem, "document": number} for problem in found]
    if problems:
        raise invalid(problems)
    return resources


def _singles(documents: Sequence[Any]) -> Iterator[Any]:
    for document in documents:
        if isinstance(document, Mapping) and "spec" not in document and isinstance(document.get("items"), list):
            yield from document["items"]
        elif document is not None:
            yield document


def _parse(document: Any) -> Resource | list[Problem]:
    if not isinstance(document, Mapping):
        return [plain("a resource is a mapping with apiVersion, kind, metadata and spec")]
    kind = document.get("kind")
    if kind is None:
        return [required("kind", list(KINDS))]
    model = KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        return [not_allowed("kind", kind, list(KINDS))]
    if document.get("apiVersion") is None:
        return [required("apiVersion", ["quantum.io/v1"])]
    fields = {key: value for key, value in document.items() if key != "status"}
    metadata = fields.get("metadata")
    if isinstance(metadata, Mapping):
        fields["metadata"] = {key: value for key, value in metadata.items() if key not in SERVER_METADATA}
    try:
        return model.model_validate(fields, by_alias=True, by_name=False)
    except ValidationError as error:
        return problems_of(error, model)
