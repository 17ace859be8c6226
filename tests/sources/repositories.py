"""Git repositories made for a test, and a server that gives them away through `git http-backend`."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

from tests.sources.web_server import Asked, Handler

IDENTITY = {
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.org",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


class MadeRepository:
    """A bare repository `<root>/<name>.git`, into which a test commits files."""

    def __init__(self, root: Path, name: str = "algorithms", object_format: str = "sha1") -> None:
        self.name = name
        self.folder = root / f"{name}.git"
        self.work = root / f".{name}-work"
        self.git("init", "-q", "--bare", "-b", "main", f"--object-format={object_format}", str(self.folder), at=root)
        self.git("init", "-q", "-b", "main", f"--object-format={object_format}", str(self.work), at=root)

    def commit(
        self, files: dict[str, str | bytes], *, branch: str = "main", links: dict[str, str] | None = None
    ) -> str:
        """Commits these files on top of what is there, pushes the branch, and gives the commit's id."""
        for name, content in files.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        for name, to in (links or {}).items():
            (self.work / name).symlink_to(to)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "change")
        self.git("push", "-q", str(self.folder), f"+HEAD:refs/heads/{branch}")
        return self.git("rev-parse", "HEAD")

    def git(self, *arguments: str, at: Path | None = None, given: bytes = b"") -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=at or self.work,
            env={**os.environ, **IDENTITY},
            input=given,
            capture_output=True,
            check=True,
        )
        return done.stdout.decode().strip()


def backend(root: Path, *, protocol: bool = True, user: str = "", password: str = "") -> Handler:
    """Answers as git's own server does; without `protocol` in its oldest version; with `user` after a login only."""
    wanted = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def answer(asked: Asked) -> None:
        if user and asked.headers.get("Authorization") != wanted:
            asked.reply(status=401, headers={"WWW-Authenticate": 'Basic realm="git"'})
            return
        path, _, query = asked.path.partition("?")
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": asked.command,
            "CONTENT_TYPE": asked.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": asked.headers.get("Content-Encoding", ""),
            "GIT_CONFIG_COUNT": "1",  # the tests may run as another user than the one who owns the folder
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }
        if protocol:
            environment["GIT_PROTOCOL"] = asked.headers.get("Git-Protocol", "")
        done = subprocess.run(
            ["git", "http-backend"], env=environment, input=asked.body(), capture_output=True, check=False
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        status = int(headers.pop("Status", "200").split()[0])
        asked.reply(body, status, headers)

    return answer


def plain_files(root: Path) -> Handler:
    """Answers with the files themselves, as a web server that knows nothing of git."""

    def answer(asked: Asked) -> None:
        path = root / asked.path.partition("?")[0].lstrip("/")
        asked.reply(path.read_bytes()) if path.is_file() else asked.reply(status=404)

    return answer
