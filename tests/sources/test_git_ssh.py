"""Circuits from Git repositories over ssh, from OpenSSH's own server."""

from __future__ import annotations

import getpass
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qtasks.errors import Forbidden, InvalidInput, QTasksError, Unavailable
from tests.sources.conftest import Fetch
from tests.sources.repositories import MadeRepository
from tests.support.servers import eventually, free_port

pytestmark = [pytest.mark.system, pytest.mark.needs_packages]

SSHD = "/usr/sbin/sshd"


class SshServer:
    """sshd on loopback, which lets one key in, as whoever runs the tests."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # as Debian's init script does
        self.port = free_port()
        self.log = folder / "log"
        for name in ("host", "user", "stranger"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        self.key = (folder / "user").read_text()
        self.stranger = (folder / "stranger").read_text()
        self.host_key = " ".join((folder / "host.pub").read_text().split()[:2])
        options = {
            "Port": self.port,
            "ListenAddress": "127.0.0.1",
            "HostKey": folder / "host",
            "AuthorizedKeysFile": folder / "user.pub",
            "PidFile": "none",
            "UsePAM": "no",
            "StrictModes": "no",
            "PasswordAuthentication": "no",
        }
        (folder / "config").write_text("".join(f"{name} {value}\n" for name, value in options.items()))
        self._process = subprocess.Popen([SSHD, "-D", "-f", folder / "config", "-E", self.log])

    def __enter__(self) -> SshServer:
        eventually(lambda: self.log.exists() and "listening" in self.log.read_text(), what="sshd listening")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with SshServer(tmp_path_factory.mktemp("ssh") / "server") as server:
        yield server


@pytest.fixture
def made(tmp_path: Path) -> MadeRepository:
    made = MadeRepository(tmp_path)
    made.commit({"a.py": "1"})
    made.commit({"a.py": "2"})
    return made


@pytest.fixture
def circuit(sshd: SshServer, made: MadeRepository) -> dict[str, Any]:
    repository = f"ssh://{getpass.getuser()}@localhost:{sshd.port}{made.folder}"
    return {"source": "git", "gitRef": {"repository": repository, "path": "a.py", "secretRef": {"name": "lab"}}}


def secret(tmp_path: Path, key: str, known_hosts: str = "") -> None:
    folder = tmp_path / "home" / "secrets" / "default" / "lab"
    folder.mkdir(parents=True)
    (folder / "ssh-privatekey").write_text(key)
    if known_hosts:
        (folder / "known_hosts").write_text(known_hosts)


@pytest.mark.parametrize("known", [True, False])
def test_a_repository_is_reached_with_the_key_of_the_secret(
    sshd: SshServer, made: MadeRepository, circuit: dict[str, Any], get: Fetch, tmp_path: Path, known: bool
) -> None:
    secret(tmp_path, sshd.key, f"[localhost]:{sshd.port} {sshd.host_key}" if known else "")
    fetched = get(circuit)
    commit = made.git("rev-parse", "HEAD")
    assert (fetched.data, fetched.commit) == (b"2", commit)
    assert fetched.origin == f"git+ssh://localhost:{sshd.port}{made.folder}@{commit}:a.py"
    circuit["gitRef"]["commit"] = made.git("rev-parse", "HEAD~1")[:9]
    assert get(circuit).data == b"1"


def test_another_host_key_than_the_known_one_is_refused(
    sshd: SshServer, circuit: dict[str, Any], get: Fetch, tmp_path: Path
) -> None:
    other = sshd.host_key[:-8] + ("AAAAAAAA" if sshd.host_key[-8:] != "AAAAAAAA" else "BBBBBBBB")
    secret(tmp_path, sshd.key, f"[localhost]:{sshd.port} {other}")
    with pytest.raises(InvalidInput) as error:
        get(circuit)
    assert error.value.reason == "SourceNotTrusted"


@pytest.mark.parametrize("key", ["stranger", "broken"])
def test_a_key_that_is_refused_is_not_repeated(
    sshd: SshServer, circuit: dict[str, Any], get: Fetch, tmp_path: Path, key: str
) -> None:
    value = sshd.stranger if key == "stranger" else "hunter2"
    secret(tmp_path, value, f"[localhost]:{sshd.port} {sshd.host_key}")
    with pytest.raises(Forbidden) as error:
        get(circuit)
    assert error.value.reason == "SourceForbidden"
    assert not any(line in repr(error.value) + str(error.value) for line in value.splitlines())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"repository": "ssh://nobody@localhost:{port}/no/such/repository.git"}, "SourceForbidden"),
        ({"repository": "ssh://{user}@localhost:{port}/no/such/repository.git"}, "RepositoryNotFound"),
        ({"branch": "mian"}, "BranchNotFound"),
        ({"path": "b.py"}, "PathNotFound"),
    ],
)
def test_what_was_wrong_is_told(
    sshd: SshServer, circuit: dict[str, Any], get: Fetch, tmp_path: Path, change: dict[str, str], reason: str
) -> None:
    secret(tmp_path, sshd.key)
    wrong = {name: value.format(port=sshd.port, user=getpass.getuser()) for name, value in change.items()}
    with pytest.raises(QTasksError) as error:
        get({"source": "git", "gitRef": circuit["gitRef"] | wrong})
    assert error.value.reason == reason


def test_a_server_that_cannot_be_reached_may_come_back(
    sshd: SshServer, circuit: dict[str, Any], get: Fetch, tmp_path: Path
) -> None:
    secret(tmp_path, sshd.key)
    circuit["gitRef"]["repository"] = f"ssh://git@localhost:{free_port()}/a.git"
    with pytest.raises(Unavailable) as error:
        get(circuit)
    assert error.value.reason == "SourceUnreachable"
    with pytest.raises(Forbidden):
        get(circuit, source_hosts="")
