"""What is committed as rendered is what the sources say; people without kustomize apply it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.k8s.objects import OVERLAYS, rendered
from tools import rendered as tool


def test_nothing_is_stale() -> None:
    assert tool.stale() == [], "run `python -m tools.rendered` where there is kubectl"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of k8s/ that may be changed."""
    shutil.copytree(tool.K8S, tmp_path / "k8s")
    monkeypatch.setattr(tool, "K8S", tmp_path / "k8s")
    return tmp_path / "k8s"


@pytest.mark.parametrize(
    ("changed", "stale"),
    [
        ("base/api.yaml", {"dev", "production", "gpu"}),
        ("base/patches/pod.yaml", {"dev", "production", "gpu"}),
        ("served-namespace/rbac.yaml", {"dev", "production", "gpu"}),
        ("components/keda/scaled-objects.yaml", {"production", "gpu"}),
        ("components/gpu/gpu.yaml", {"gpu"}),
        ("overlays/production/addresses.yaml", {"production", "gpu"}),
        ("overlays/dev/settings.yaml", {"dev"}),
        ("examples/ingress.yaml", set()),
    ],
)
def test_a_changed_source_makes_the_overlays_that_use_it_stale(elsewhere: Path, changed: str, stale: set[str]) -> None:
    with (elsewhere / changed).open("a") as file:
        file.write("# another line\n")
    assert {path.stem for path in tool.stale()} == stale


def test_a_changed_definition_makes_the_charts_copy_stale(elsewhere: Path) -> None:
    (elsewhere / "crds" / "qiskitjobs.yaml").write_text("kind: CustomResourceDefinition\n")
    (elsewhere / "chart" / "crds" / "gone.yaml").write_text("kind: CustomResourceDefinition\n")
    assert {path.name for path in tool.stale()} == {"qiskitjobs.yaml", "gone.yaml"}


@pytest.mark.needs_packages
@pytest.mark.parametrize("name", OVERLAYS)
def test_kubectl_renders_what_is_committed(name: str) -> None:
    assert tool.render(name) == rendered(name).read_text()
