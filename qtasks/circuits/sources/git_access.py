"""What git is told about the way to a server: the checked address, and the credentials of this one fetch, as files."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from qtasks.circuits.sources.hosts import Route, bracketed
from qtasks.circuits.sources.repository import Repository
from qtasks.errors import Forbidden, InvalidInput

_TOKEN_USER = "oauth2"  # noqa: S105 - a user, not a password
"""The user beside a token: GitLab wants this one, GitHub and Gitea take any."""

_SSH_OPTIONS = {
    "BatchMode": "yes",
    "IdentitiesOnly": "yes",
    "IdentityAgent": "none",
    "PreferredAuthentications": "publickey",
    "GlobalKnownHostsFile": "/dev/null",
    "UpdateHostKeys": "no",
    "CheckHostIP": "no",
    "CanonicalizeHostname": "no",
    "ProxyCommand": "none",
    "ProxyJump": "none",
    "ControlMaster": "no",
    "ControlPath": "none",
    "ForwardAgent": "no",
    "ClearAllForwardings": "yes",
    "PermitLocalCommand": "no",
    "ConnectTimeout": "10",
    "ServerAliveInterval": "15",
}


@dataclass(frozen=True, slots=True)
class Access:
    """Configuration, in order, and environment for git; neither holds a credential, only the paths of files that do."""

    config: Sequence[tuple[str, str]]
    environment: Mapping[str, str]


def access(repository: Repository, to: Route, secret: Mapping[str, str], secret_name: str, folder: Path) -> Access:
    """How git reaches `repository` by the checked addresses only, with `secret`, whose files go into `folder`.

    Raises InvalidInput (`SecretIncomplete`) and Forbidden (`SecretRequired`).
    """
    if repository.scheme == "ssh":
        return Access([], {"GIT_SSH_COMMAND": _ssh(repository, to, secret, secret_name, folder)})
    # The empty helper takes away what git's own defaults may name.
    config = [("credential.helper", "")]
    if not to.is_address:
        addresses = ",".join(map(bracketed, to.addresses))
        config.append(("http.curloptResolve", f"{to.host}:{to.port}:{addresses}"))
    if secret_name:
        file = folder / "credentials"
        _write(file, _https_credentials(repository, secret, secret_name))
        config.append(("credential.helper", f"store --file={shlex.quote(str(file))}"))
    return Access(config, {})


def _https_credentials(repository: Repository, secret: Mapping[str, str], secret_name: str) -> str:
    password = secret.get("password") or secret.get("token")
    user = secret.get("username") or (_TOKEN_USER if secret.get("token") else "")
    if not user or not password:
        raise InvalidInput(
            f"The secret {secret_name} has neither username and password nor token.",
            reason="SecretIncomplete",
            hint="For a repository over https it needs these keys.",
        )
    return f"https://{quote(user, safe='')}:{quote(password, safe='')}@{repository.authority}\n"


def _ssh(repository: Repository, to: Route, secret: Mapping[str, str], secret_name: str, folder: Path) -> str:
    if not secret_name:
        raise Forbidden(
            f"{repository.shown} is reached with a key only, and none was named.",
            reason="SecretRequired",
            hint="Name a secret with ssh-privatekey in gitRef.secretRef, or use the https:// address.",
        )
    if not secret.get("ssh-privatekey"):
        raise InvalidInput(
            f"The secret {secret_name} has no ssh-privatekey.",
            reason="SecretIncomplete",
            hint="For a repository over ssh it needs this key, and should have known_hosts.",
        )
    key, known = folder / "ssh-key", folder / "known_hosts"
    _write(key, secret["ssh-privatekey"].replace("\r\n", "\n") + "\n")
    _write(known, secret.get("known_hosts", "") + "\n")
    default_port = repository.port == 22
    options = _SSH_OPTIONS | {
        "HostName": to.addresses[0],
        # known_hosts has the name, with the port where that is not 22.
        "HostKeyAlias": to.host if default_port else f"[{to.host}]:{to.port}",
        "UserKnownHostsFile": f'"{known}"',
        "StrictHostKeyChecking": "yes" if secret.get("known_hosts") else "accept-new",
    }
    words = ["ssh", "-F", "/dev/null", "-i", str(key)]
    return shlex.join(words + [word for name, value in options.items() for word in ("-o", f"{name}={value}")])


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w") as file:  # noqa: PTH123 - pathlib opens no descriptor
        file.write(text)
