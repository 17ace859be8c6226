"""Running what an image holds, as a container engine would: root and all of its capabilities given up, a read-only
root, processes of its own; the host's network, for servers on loopback."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.images.dockerfile import inherited
from tests.support.servers import eventually

_ENTER = """
set -e
mount --make-rprivate /
mount --bind "$ROOT" "$NEW"
{mounts}
mount -o remount,bind,ro "$NEW"
mount -t proc proc "$NEW/proc"
mount -t tmpfs -o size=1m,mode=0755 tmpfs "$NEW/dev"
for device in null zero full random urandom tty; do
    touch "$NEW/dev/$device"; mount --bind "/dev/$device" "$NEW/dev/$device"
done
mkdir "$NEW/dev/shm"; mount -t tmpfs -o size=64m,mode=1777 tmpfs "$NEW/dev/shm"
mount -t tmpfs -o size=512m,mode=1777 tmpfs "$NEW/tmp"
cd /
exec env -i {environment} chroot "$NEW" setpriv {identity} --no-new-privs --bounding-set=-all --inh-caps=-all \
    --ambient-caps=-all {command}
"""


@dataclass
class Container:
    """One process of an image and what it starts; `folder` is for its log and mount point."""

    root: Path
    target: str
    folder: Path
    arguments: Sequence[str] | None = None
    entrypoint: Sequence[str] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: Mapping[str, Path] = field(default_factory=dict)
    """Folders of the host by where they are seen, read-only but for the sandbox's."""
    user: int = 10001
    groups: Sequence[int] = ()
    popen: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def start(self) -> Container:
        new = self.folder / "root"
        new.mkdir(parents=True)
        mounts = ['mount -t tmpfs -o size=64m,mode=0750,uid=10001,gid=10001 tmpfs "$NEW/var/lib/qtasks"']
        for seen, folder in self.mounts.items():
            mounts.append(f'mount --bind {shlex.quote(str(folder))} "$NEW{seen}"')
            if seen != "/run/sandbox":
                mounts.append(f'mount -o remount,bind,ro "$NEW{seen}"')
        told = inherited(self.target)
        entrypoint = self.entrypoint or _words(told, "ENTRYPOINT")
        arguments = _words(told, "CMD") if self.arguments is None else self.arguments
        groups = ",".join(map(str, self.groups))
        script = _ENTER.format(
            mounts="\n".join(mounts),
            environment=shlex.join(f"{k}={v}" for k, v in {**_variables(told), **self.environment}.items()),
            identity=f"--reuid={self.user} --regid={self.user} "
            + (f"--groups={groups}" if groups else "--clear-groups"),
            command=shlex.join([*entrypoint, *arguments]),
        )
        with self.log.open("wb") as output:
            self.popen = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "sh", "-c", script],
                env={"PATH": os.environ["PATH"], "ROOT": str(self.root), "NEW": str(new)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return self

    def wait(self, seconds: float = 120) -> int:
        """The exit status of one that ends by itself."""
        assert self.popen is not None
        return self.popen.wait(seconds)

    def alive(self, check: Sequence[str] | None = None) -> bool:
        """Whether the health check of its image, or this one, says so; asked by the image's own program."""
        command = check or json.loads(_value(inherited(self.target), "HEALTHCHECK").partition("CMD ")[2])
        environment = {**_variables(inherited(self.target)), **self.environment}
        program = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups", *command]
        inside = ["nsenter", "--target", str(self.first), "--mount", "--pid", f"--root=/proc/{self.first}/root"]
        done = subprocess.run([*inside, *program], env=environment, capture_output=True, check=False, timeout=30)
        return done.returncode == 0

    @property
    def first(self) -> int:
        """The host's number of the container's process 1."""
        assert self.popen is not None
        pid = self.popen.pid

        def child() -> int:
            assert self.popen is not None
            assert self.popen.poll() is None, self.text[-3000:]
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            return int(children[0]) if children else 0

        return eventually(child, what=f"a process of {self.target}")

    def stop(self, seconds: float = 30) -> int:
        """SIGTERM to its process 1, as an engine does; the exit status."""
        assert self.popen is not None
        if self.popen.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.first, signal.SIGTERM)
        return self.popen.wait(seconds)

    def kill(self) -> None:
        """It and all that it started: its processes end with their process 1."""
        if self.popen is not None and self.popen.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait()

    def ready(self, check: Sequence[str] | None = None, *, seconds: float = 120) -> Container:
        """Waits until it is alive; fails with its log where it ended before."""
        deadline = time.monotonic() + seconds
        while not self.alive(check):
            assert self.popen is not None
            assert self.popen.poll() is None, self.text[-3000:]
            assert time.monotonic() < deadline, self.text[-3000:]
            time.sleep(0.2)
        return self


def _value(told: Sequence[tuple[str, str]], word: str) -> str:
    return [rest for name, rest in told if name == word][-1]


def _words(told: Sequence[tuple[str, str]], word: str) -> list[str]:
    found: list[str] = json.loads(_value(told, word))
    return found


def _variables(told: Sequence[tuple[str, str]]) -> dict[str, str]:
    pairs = [pair for word, rest in told if word == "ENV" for pair in rest.split()]
    return dict(pair.split("=", 1) for pair in pairs)
