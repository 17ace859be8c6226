"""Renders the overlays of k8s/ into k8s/rendered, and copies into the chart what it shares with them.

`python -m tools.rendered [--check]`. Rendering needs kubectl; without it, and with --check, files that are stale are
named: those rendered from other sources than there are by the hash in their first lines.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

K8S = Path(__file__).parents[1] / "k8s"
OVERLAYS = ("dev", "production", "gpu")
MONITORING = ("dashboard.json", "podmonitor.yaml", "prometheusrule.yaml", "servicemonitor.yaml")
DEV_SERVERS = ("objects", "postgres", "redis", "secrets", "servers-ingress")
_MARK = "# sources: sha256:"


def rendered(overlay: str) -> Path:
    """The file with all objects of an overlay."""
    return K8S / "rendered" / f"{overlay}.yaml"


def sources(folder: Path) -> set[Path]:
    """All files below a kustomization's folder, and those of the folders that it refers to."""
    found = {path for path in folder.rglob("*") if path.is_file()}
    for file in [path for path in found if path.name == "kustomization.yaml"]:
        for other in _folders(yaml.safe_load(file.read_text()), file.parent):
            found |= sources(other)
    return found


def _folders(kustomization: dict[str, Any], where: Path) -> Iterator[Path]:
    for name in (*kustomization.get("resources", ()), *kustomization.get("components", ())):
        path = (where / name).resolve()
        if path.is_dir() and not path.is_relative_to(where):
            yield path


def digest(overlay: str) -> str:
    """SHA-256 over names and contents of an overlay's sources, in the order of their names."""
    summed = hashlib.sha256()
    for path in sorted(sources(K8S / "overlays" / overlay)):
        summed.update(f"{path.relative_to(K8S)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return summed.hexdigest()


def render(overlay: str) -> str:
    """What kubectl makes of an overlay, below a head that says what of. Raises CalledProcessError."""
    command = ["kubectl", "kustomize", str(K8S / "overlays" / overlay)]
    made = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    head = f"# Rendered from k8s/overlays/{overlay} by `python -m tools.rendered`.\n{_MARK}{digest(overlay)}\n"
    return head + made.stdout


def current(overlay: str) -> bool:
    """Whether an overlay was rendered from the sources that there are."""
    path = rendered(overlay)
    return path.exists() and f"{_MARK}{digest(overlay)}\n" in path.read_text()[:400]


def copies() -> dict[Path, str]:
    """What the chart shares with the manifests: files of the chart, and what they hold."""
    chart = K8S / "chart"
    made = {chart / "crds" / path.name: path.read_text() for path in sorted((K8S / "crds").glob("*.yaml"))}
    for name in MONITORING:
        made[chart / "files" / "monitoring" / name] = (K8S / "monitoring" / name).read_text()
    for name in DEV_SERVERS:
        text = (K8S / "overlays" / "dev" / f"{name}.yaml").read_text()
        made[chart / "files" / "dev" / f"{name}.yaml"] = _released(text)
    return made


def _released(manifest: str) -> str:
    """For a release of any namespace."""
    return manifest.replace("namespace: qtasks\n", "namespace: {{ .Release.Namespace }}\n")


def stale() -> list[Path]:
    """Files that are not what their sources say, and copies of what is no more."""
    wanted = copies()
    differ = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    folders = {path.parent for path in wanted if path.parent.exists()}
    kept = {path for folder in folders for path in folder.iterdir()}
    return differ + sorted(kept - set(wanted)) + [rendered(name) for name in OVERLAYS if not current(name)]


def write() -> None:
    """Write the chart's copies, and, where there is kubectl, the rendered overlays. Raises CalledProcessError."""
    wanted = copies()
    for folder in {path.parent for path in wanted}:
        folder.mkdir(parents=True, exist_ok=True)
        for path in set(folder.iterdir()) - set(wanted):
            path.unlink()
    for path, text in wanted.items():
        path.write_text(text)
    if shutil.which("kubectl"):
        for name in OVERLAYS:
            rendered(name).write_text(render(name))


def main(arguments: list[str]) -> int:
    """Write, or check; 1 when something is stale."""
    if "--check" not in arguments:
        try:
            write()
        except subprocess.CalledProcessError as error:
            sys.stderr.write(error.stderr)
            return 1
    left = stale()
    if left:
        names = ", ".join(str(path.relative_to(K8S.parent)) for path in left)
        sys.stderr.write(f"stale: {names}; run `python -m tools.rendered` where there is kubectl\n")
    return bool(left)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
