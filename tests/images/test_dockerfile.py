"""The Dockerfile: what a linter says of it, and what every image promises."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.images.dockerfile import ROOT, TARGETS, inherited, stages

EACH = pytest.mark.parametrize("target", TARGETS)


def test_the_linter_finds_nothing() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([linter, "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_the_linter_is_told_to_pass_over_is_debians_versions_alone() -> None:
    told = re.findall(r"hadolint ignore=(\S+)", (ROOT / "Dockerfile").read_text())
    assert set(told) == {"DL3008"}


def test_the_base_has_a_version_and_can_be_pinned_to_the_byte() -> None:
    base = re.search(r"^ARG BASE=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert base is not None
    assert base[1] == "python:3.11-slim-bookworm"
    assert {stage.base for stage in stages().values() if stage.base not in stages()} == {"${BASE}"}


@EACH
def test_an_image_runs_qtasks_as_a_user_of_its_own(target: str) -> None:
    told = inherited(target)
    last = {word: rest for word, rest in told if word in ("USER", "ENTRYPOINT", "WORKDIR", "STOPSIGNAL", "CMD")}
    assert last["USER"] == "10001:10001"
    assert json.loads(last["ENTRYPOINT"]) == ["tini", "--", "qtasks"]
    assert json.loads(last["CMD"])[0] == target.removesuffix("-gpu")
    assert (last["WORKDIR"], last["STOPSIGNAL"]) == ("/var/lib/qtasks", "SIGTERM")


@EACH
def test_an_image_looks_at_its_progress(target: str) -> None:
    (check,) = [rest for word, rest in inherited(target) if word == "HEALTHCHECK"]
    command = json.loads(check.partition("CMD ")[2])
    port, path = {
        "api": ("QTASKS_API_PORT", "/readyz"),
        "flower": ("5555", "/healthcheck"),
    }.get(target, ("QTASKS_METRICS_PORT", "/healthz"))
    assert command == ["alive", port, path]
    if not port.isdigit():
        assert f"{port}=" in " ".join(rest for word, rest in inherited(target) if word == "ENV")


@EACH
def test_an_image_is_labelled_with_this_version(target: str) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    told = inherited(target)
    assert f"VERSION={version}" in [rest for word, rest in told if word == "ARG"]
    labels = " ".join(rest for word, rest in told if word == "LABEL")
    for name in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{name}=" in labels


@EACH
def test_an_image_takes_from_the_builder_its_packages_alone(target: str) -> None:
    copied = [rest for word, rest in inherited(target) if word == "COPY"]
    assert copied == [
        "docker/alive /usr/local/bin/alive",
        f"--from={target}-packages /opt/qtasks /opt/qtasks",
        "--from=qtasks /opt/qtasks /opt/qtasks",
    ]


def test_the_gpu_worker_differs_in_aer_alone() -> None:
    def packages(target: str) -> str:
        return " ".join(rest for word, rest in stages()[f"{target}-packages"].instructions if word == "RUN")

    assert packages("worker-gpu") == f"{packages('worker')} --prune qiskit-aer -- /docker/gpu.txt"


def test_what_is_left_out_is_locked_and_what_the_gpu_worker_has_instead_is_pinned_by_hash() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    locked = {package["name"]: package.get("version") for package in lock["package"]}
    pruned = set(re.findall(r"--prune (\S+)", (ROOT / "Dockerfile").read_text()))
    assert pruned <= locked.keys()
    gpu = (ROOT / "docker" / "gpu.txt").read_text()
    pinned = dict(re.findall(r"^(\S+)==(\S+) \\\n    --hash=sha256:", gpu, re.MULTILINE))
    assert len(pinned) == len(re.findall(r"^[a-z]", gpu, re.MULTILINE))
    assert pinned["qiskit-aer-gpu"] == locked["qiskit-aer"]
    assert {name: pinned[name] for name in pinned.keys() & locked.keys()} == {"psutil": locked["psutil"]}


def test_only_what_is_built_from_goes_to_the_builder() -> None:
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert ignored[0] == "*"
    copied = {
        source
        for stage in stages().values()
        for word, rest in stage.instructions
        if word == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    assert {line.removeprefix("!") for line in ignored[1:] if line.startswith("!")} == {
        source.partition("/")[0] for source in copied
    }
    for source in copied:
        assert (ROOT / source).exists()
