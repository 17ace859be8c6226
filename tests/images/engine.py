"""Building images without a container engine: buildah in a chroot, on a base that debootstrap makes.

python:3.11-slim-bookworm is Debian 12 with a Python 3.11 in /usr/local; without a registry, Debian 12 with its own
Python 3.11 stands in under the same name. What is built is kept in .cache/images, layer by layer.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.images.dockerfile import ROOT

BASE = "python:3.11-slim-bookworm"
STORE = ROOT / ".cache" / "images"
_RELEASE = "bookworm"
_AUTHORITIES = Path("/usr/local/share/ca-certificates")
_TOOLS = ("buildah", "debootstrap", "unshare", "chroot")
_CLEANED = ("doc", "man", "locale", "info")


class Engine:
    """Images in a store of the checkout's own. Needs root, and Debian's buildah and debootstrap."""

    def __init__(self) -> None:
        missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
        assert not missing, f"install {', '.join(missing)}"
        assert os.geteuid() == 0, "images are built as root"
        STORE.mkdir(parents=True, exist_ok=True)

    def build(self, target: str, *options: str) -> str:
        """The image of a target of the Dockerfile, its layers from the store where nothing has changed."""
        if not self._has(BASE):
            self._stand_in()
        name = f"qtasks/{target}:test"
        # Docker's format: OCI's has no health check.
        command = [
            "bud",
            "--isolation",
            "chroot",
            "--format",
            "docker",
            "--layers",
            "--force-rm",
            "--pull-never",
            *options,
        ]
        self._run(*command, "--target", target, "--tag", name, str(ROOT), timeout=3000)
        return name

    @contextmanager
    def mounted(self, image: str) -> Iterator[Path]:
        """The file system of an image."""
        container = self._run("from", "--pull-never", image).strip()
        try:
            yield Path(self._run("mount", container).strip())
        finally:
            self._run("rm", container)

    def _has(self, image: str) -> bool:
        return self._call("inspect", "--type", "image", image).returncode == 0

    def _stand_in(self) -> None:
        root = STORE / "base"
        shutil.rmtree(root, ignore_errors=True)
        _checked(["debootstrap", "--variant=minbase", _RELEASE, str(root)], timeout=900)
        inside = (
            "apt-get update && apt-get install --yes --no-install-recommends python3 ca-certificates netbase tzdata"
        )
        inside += f" && apt-get clean && rm -rf /var/lib/apt/lists/* /usr/lib/python3*/EXTERNALLY-MANAGED {_cleaned()}"
        _checked(["chroot", str(root), "sh", "-ec", inside], timeout=900)
        # A machine whose way out is inspected has an authority of its own.
        for authority in _AUTHORITIES.glob("*.crt"):
            shutil.copy(authority, root / _AUTHORITIES.relative_to("/"))
        _checked(["chroot", str(root), "update-ca-certificates"], timeout=60)
        for name in ("python", "python3", "python3.11"):
            (root / "usr/local/bin" / name).symlink_to("/usr/bin/python3.11")
        packages = root / "usr/local/lib/python3.11/dist-packages"
        uv = str(Path(sys.executable).with_name("uv"))
        _checked(
            [uv, "pip", "install", "--quiet", "--target", str(packages), "pip", "setuptools", "wheel"], timeout=300
        )
        shutil.rmtree(packages / "bin", ignore_errors=True)
        container = self._run("from", "scratch").strip()
        try:
            mounted = self._run("mount", container).strip()
            _checked(["cp", "--archive", f"{root}/.", mounted], timeout=300)
            certificates = "/etc/ssl/certs/ca-certificates.crt"
            settings = {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
            settings |= dict.fromkeys(("SSL_CERT_FILE", "PIP_CERT"), certificates)
            for name, value in settings.items():
                self._run("config", "--env", f"{name}={value}", container)
            self._run("commit", "--quiet", "--format", "docker", container, BASE, timeout=300)
        finally:
            self._run("rm", container)
            shutil.rmtree(root)

    def _run(self, *arguments: str, timeout: float = 120) -> str:
        done = self._call(*arguments, timeout=timeout)
        assert done.returncode == 0, f"buildah {' '.join(arguments)}:\n{(done.stdout + done.stderr)[-4000:]}"
        return done.stdout

    @staticmethod
    def _call(*arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        store = ["--root", str(STORE / "store"), "--runroot", str(STORE / "run"), "--storage-driver", "overlay"]
        return subprocess.run(
            ["nice", "-n", "19", "buildah", *store, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )


def _cleaned() -> str:
    """What slim images leave out."""
    return " ".join(f"/usr/share/{name}/*" for name in _CLEANED)


def _checked(command: list[str], *, timeout: float) -> None:
    done = subprocess.run(["nice", "-n", "19", *command], capture_output=True, text=True, check=False, timeout=timeout)
    assert done.returncode == 0, f"{' '.join(command)}:\n{(done.stdout + done.stderr)[-4000:]}"
