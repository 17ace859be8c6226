"""`python -m qtasks.operator.crds [--check] DIR` writes the definitions into a folder, or says which differ."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from qtasks.operator.crds import definitions
from qtasks.resources.schema import keep

_HEAD = "# Generated from qtasks/resources by `make docs`.\n"


class _Dumper(yaml.SafeDumper):
    """Writes the same part twice where it stands twice: anchors are none of kubectl's habits."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def text(definition: dict[str, Any]) -> str:
    """A definition as it stands in its file."""
    written = yaml.dump(definition, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return f"{_HEAD}{written}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write, or check; 0 when all is well, 1 when some differ."""
    parser = argparse.ArgumentParser(prog="python -m qtasks.operator.crds", description="CustomResourceDefinitions")
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder with one <plural>.yaml each")
    parser.add_argument("--check", action="store_true", help="verify only")
    options = parser.parse_args(arguments)
    texts = {f"{plural}.yaml": text(definition) for plural, definition in definitions().items()}
    return keep(options.folder, texts, check=options.check)


if __name__ == "__main__":
    sys.exit(main())
