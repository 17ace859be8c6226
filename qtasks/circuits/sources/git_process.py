"""Running git: with a configuration and an environment of our own making, and bounds on what it may say."""

from __future__ import annotations

import os
import re
import selectors
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from qtasks.circuits.sources.bounds import MAX_FILE_BYTES
from qtasks.circuits.sources.git_access import Access
from qtasks.circuits.sources.repository import Repository
from qtasks.errors import Unavailable

MIN_VERSION = (2, 37)  # the first that can be told a host's address (http.curloptResolve); older ones ignore that
_STDERR_BYTES = 2**18

CONFIG = {
    "core.askPass": "",
    "core.bigFileThreshold": "1m",  # larger blobs are streamed, not held in memory
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "core.packedGitLimit": "64m",
    "core.packedGitWindowSize": "16m",
    "core.symlinks": "false",
    "fetch.recurseSubmodules": "false",
    "fetch.unpackLimit": "1",  # what comes is kept as one file, whose size is bounded
    "fetch.uriProtocols": "",
    "fetch.writeCommitGraph": "false",
    "gc.auto": "0",
    "http.followRedirects": "false",  # git would look up and connect to what was never checked
    "http.proxy": "",
    "http.sslVerify": "true",
    "index.threads": "1",
    "maintenance.auto": "false",
    "pack.threads": "1",
    "protocol.allow": "never",
    "protocol.https.allow": "always",
    "protocol.ssh.allow": "always",
    "protocol.version": "2",
    "submodule.recurse": "false",
    "transfer.bundleURI": "false",
    "transfer.credentialsInUrl": "die",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one git command said."""

    code: int
    stdout: bytes
    stderr: str
    cut: bool = False
    """Whether there was more on standard output than was wanted; git was ended then."""
    flooded: bool = False
    """Whether the server sent more than a fetch may keep."""

    @property
    def ok(self) -> bool:
        return self.code == 0


class Git:
    """The git command line in one bare repository of its own, whose only remote is `origin`."""

    def __init__(self, folder: Path, repository: Repository, access: Access) -> None:
        self.folder = folder
        self.object_format = ""
        config = [*CONFIG.items(), ("remote.origin.url", repository.url), *access.config]
        if authorities := os.environ.get("GIT_SSL_CAINFO") or os.environ.get("SSL_CERT_FILE"):
            config.append(("http.sslCAInfo", authorities))  # git's curl may not know SSL_CERT_FILE
        if folders := os.environ.get("SSL_CERT_DIR"):
            config.append(("http.sslCAPath", folders.split(os.pathsep)[0]))
        self._environment = {
            **{name: os.environ[name] for name in ("HOME", "PATH", "TMPDIR") if name in os.environ},
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_COUNT": str(len(config)),
            **{f"GIT_CONFIG_KEY_{index}": name for index, (name, _) in enumerate(config)},
            **{f"GIT_CONFIG_VALUE_{index}": value for index, (_, value) in enumerate(config)},
            "GIT_ALLOW_PROTOCOL": "https:ssh",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_SSH_VARIANT": "ssh",
            "GIT_SSH_COMMAND": "false",
            **access.environment,
        }

    def create(self, object_format: str = "sha1") -> None:
        """Makes the empty repository, in place of an earlier one.

        Raises Unavailable (`GitMissing`, `GitTooOld`, `SourceFailed`).
        """
        shutil.rmtree(self.folder / "repository", ignore_errors=True)
        found = re.search(r"(\d+)\.(\d+)", self.run("version").stdout.decode("utf-8", "replace"))
        if found is None or (int(found[1]), int(found[2])) < MIN_VERSION:
            raise Unavailable(
                f"The worker's git is {found[0] if found else 'unknown'}, and 2.37 or newer is needed.",
                reason="GitTooOld",
                hint="An operator must install a newer git for the workers.",
            )
        made = self.run("init", "--quiet", "--bare", "--template=", f"--object-format={object_format}")
        if not made.ok:
            raise Unavailable("git cannot make a repository to fetch into.", reason="SourceFailed")
        self.object_format = object_format

    def run(self, *arguments: str, most: int = 2**16) -> Outcome:
        """Runs one command and gives at most `most` bytes of its output, and the last of its messages."""
        self.folder.mkdir(exist_ok=True)
        try:
            process = subprocess.Popen(
                ["git", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self.folder,
                env={**self._environment, "GIT_DIR": str(self.folder / "repository")},
            )
        except FileNotFoundError:
            raise Unavailable(
                "The worker has no git, so it cannot fetch from repositories.",
                reason="GitMissing",
                hint="An operator must install git (2.37 or newer) for the workers.",
            ) from None
        with process:
            try:
                stdout, stderr = _read(process, most)
            except BaseException:
                process.kill()
                raise
            cut = len(stdout) > most or len(stderr) > _STDERR_BYTES
            if cut:
                process.kill()
        text = stderr[:_STDERR_BYTES].decode("utf-8", "replace")
        flooded = len(stderr) > _STDERR_BYTES or (process.returncode != 0 and self._is_full())
        return Outcome(process.returncode, bytes(stdout[:most]), text, cut, flooded)

    def _is_full(self) -> bool:
        """Whether a file has reached the size at which what writes it is ended."""
        return any(path.stat().st_size >= MAX_FILE_BYTES for path in self.folder.rglob("*pack*") if path.is_file())


def _read(process: subprocess.Popen[bytes], most: int) -> tuple[bytearray, bytearray]:
    """What comes on standard output and standard error, until both end or one of them is too long."""
    assert process.stdout is not None and process.stderr is not None
    stdout, stderr = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, stdout)
        selector.register(process.stderr, selectors.EVENT_READ, stderr)
        while selector.get_map() and len(stdout) <= most and len(stderr) <= _STDERR_BYTES:
            for key, _ in selector.select():
                part = os.read(key.fd, 2**16)
                key.data.extend(part)
                if not part:
                    selector.unregister(key.fileobj)
    return stdout, stderr
