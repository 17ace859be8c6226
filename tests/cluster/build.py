"""Real Kubernetes servers, built once from Debian's source into a cache folder: `python -m tests.cluster.build`.

Nothing is installed. apt-get fetches into folders of its own, so an ordinary user may run it: the source of Kubernetes,
and the packages of Go and etcd, which are unpacked. It takes about six minutes on two cores, and 3 GB of disk
while it lasts. Needs apt-get, dpkg-dev and make, and Debian's archive, which must be among the machine's own sources.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path

SUITE = "bookworm"
"""The last release of Debian whose source package has the servers; later ones have kubectl alone."""
VERSION = "1.20.2"
CACHE = Path(__file__).parents[2] / ".cache" / f"kubernetes-{VERSION}"
_BUILT = ("kube-apiserver", "kube-controller-manager", "kubectl")
_GO = "golang-1.19"
_REFLECT = "github.com/modern-go/reflect2"
"""The copy of it in the source takes maps for what they were before Go 1.18, and crashes over them."""
_PACKAGES = (f"{_GO}-go", f"{_GO}-src", "golang-github-modern-go-reflect2-dev", "etcd-server")
_NEEDED = {"apt-get": "apt", "dpkg-source": "dpkg-dev", "make": "make"}
_NICE = ["nice", "-n", "19"]


def binaries(cache: Path = CACHE) -> Path:
    """The folder of kube-apiserver, kube-controller-manager, etcd and kubectl; builds them where they are not yet."""
    done = cache / "bin"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.is_dir():
            _build(cache, done)
    return done


def _build(cache: Path, done: Path) -> None:
    lacking = {package for program, package in _NEEDED.items() if shutil.which(program) is None}
    if lacking:
        raise AssertionError(f"building Kubernetes needs Debian's {', '.join(sorted(lacking))}")
    work, made = cache / "work", cache / "made"
    for folder in (work, made):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    with (cache / "build.log").open("w") as log:

        def run(*command: str, cwd: Path = work, env: dict[str, str] | None = None) -> None:
            ended = subprocess.run(
                [*_NICE, *command], cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
            assert ended.returncode == 0, f"{' '.join(command)} failed; see {log.name}"

        apt = {**os.environ, "APT_CONFIG": str(_apt_config(work))}
        run("apt-get", "update", env=apt)
        run("apt-get", "download", *_PACKAGES, env=apt)
        run("apt-get", "source", "kubernetes", env=apt)
        for package in work.glob("*.deb"):
            run("dpkg-deb", "-x", str(package), str(work / "root"))
        [source] = [path for path in work.glob("kubernetes-*") if path.is_dir()]
        shutil.rmtree(source / "vendor" / _REFLECT)
        shutil.copytree(work / "root/usr/share/gocode/src" / _REFLECT, source / "vendor" / _REFLECT)
        run("make", f"WHAT={' '.join(f'cmd/{name}' for name in _BUILT)}", cwd=source, env=_go(work, source))
    for path in (*(source / "_output" / "bin" / name for name in _BUILT), work / "root/usr/bin/etcd"):
        shutil.copy(path, made)
    made.rename(done)
    shutil.rmtree(work)


def _go(work: Path, source: Path) -> dict[str, str]:
    """The environment of a build by Go as unpacked; the scripts of Kubernetes want the source inside a GOPATH."""
    path = source / ".go" / "src" / "k8s.io"
    path.mkdir(parents=True)
    (path / "kubernetes").symlink_to(source)
    root = work / "root" / "usr" / "lib" / _GO.replace("golang", "go")
    return {
        "PATH": f"{root / 'bin'}:{os.defpath}",
        "HOME": str(work),
        "GOROOT": str(root),
        "GOPATH": str(source / ".go"),
        "GOCACHE": str(work / "go-cache"),
        "CGO_ENABLED": "0",
    }


def _apt_config(work: Path) -> Path:
    """An apt of its own: one suite of the archive that this machine uses, with folders of its own for what it keeps."""
    apt = work / "apt"
    for folder in ("sources", "state/lists/partial", "cache/archives/partial"):
        (apt / folder).mkdir(parents=True)
    (apt / "status").touch()
    (apt / "sources" / "debian.sources").write_text(
        f"Types: deb deb-src\nURIs: {_archive()}\nSuites: {SUITE}\nComponents: main\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    )
    config = apt / "apt.conf"
    options = {
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": apt / "sources",
        "Dir::State": apt / "state",
        "Dir::State::Status": apt / "status",
        "Dir::Cache": apt / "cache",
        "APT::Sandbox::User": "",
    }
    config.write_text("".join(f'{name} "{value}";\n' for name, value in options.items()))
    return config


def _archive() -> str:
    """The address of Debian's archive, from the machine's own sources of packages."""
    etc = Path("/etc/apt")
    for path in (etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))):
        lines = path.read_text().splitlines() if path.is_file() else []
        for line in lines:
            if not line.startswith("#") and (found := re.search(r"\b[a-z+]+://\S+/debian/?(?=\s|$)", line)):
                return found[0]
    raise AssertionError("Debian's archive is not among this machine's sources of packages")


if __name__ == "__main__":
    print(binaries())
