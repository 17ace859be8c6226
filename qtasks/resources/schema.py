"""JSON Schemas of the four kinds: `python -m qtasks.resources.schema [--check] DIR` writes or verifies them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from qtasks.resources.loading import KINDS
from qtasks.resources.quantities import Written


class Generator(GenerateJsonSchema):
    """Leaves out what says nothing: null (a field that is not wanted is left out) and titles made of names."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        inner = super().default_schema(schema)
        if inner.get("default", ...) is None:
            del inner["default"]
        return inner

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, Written):
            return dft.written
        if isinstance(dft, BaseModel):
            return dft.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return super().encode_default(dft)


def json_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema (draft 2020-12) of each kind."""
    return {kind: _schema(kind) for kind in KINDS}


def _schema(kind: str) -> dict[str, Any]:
    schema = KINDS[kind].model_json_schema(by_alias=True, schema_generator=Generator)
    schema["required"] = ["apiVersion", "kind", "spec"]
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the schemas into a folder, or say which differ; 0 when all is well, 1 when some differ."""
    parser = argparse.ArgumentParser(prog="python -m qtasks.resources.schema", description="JSON Schemas of the kinds")
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder with one <kind>.json each")
    parser.add_argument("--check", action="store_true", help="verify only")
    options = parser.parse_args(arguments)
    texts = {
        f"{kind}.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for kind, schema in json_schemas().items()
    }
    return keep(options.folder, texts, check=options.check)


def keep(folder: Path, texts: Mapping[str, str], *, check: bool) -> int:
    """Write generated `texts`, by the names of their files, or only say which differ; what a command exits with."""
    stale = []
    for name, text in texts.items():
        path = folder / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path)
        if not check:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for path in stale:
        sys.stdout.write(f"{path}: {'out of date' if check else 'written'}\n")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
