"""Fetching one file of a Git repository: one commit without its history, and of its files only the one wanted."""

from __future__ import annotations

import posixpath
import re
import socket
from pathlib import Path

from qtasks.circuits.sources import nearest
from qtasks.circuits.sources.addresses import AllowedHosts
from qtasks.circuits.sources.git_access import access
from qtasks.circuits.sources.git_errors import Meaning
from qtasks.circuits.sources.git_process import Git, Outcome
from qtasks.circuits.sources.hosts import Lookup, route
from qtasks.circuits.sources.messages import Fetched, Request
from qtasks.circuits.sources.repository import Repository
from qtasks.errors import InvalidInput, NotFound

_FETCHED = "refs/qtasks/fetched"
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_FULL = (40, 64)
_NO_BRANCH = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/.]|[/.]$|\.lock$")
_LIST_BYTES = 2**22
_KINDS = {"040000": "a folder", "120000": "a symbolic link", "160000": "a submodule"}
_LFS = b"version https://git-lfs.github.com/spec/"


def fetch_file(request: Request, folder: Path, lookup: Lookup = socket.getaddrinfo) -> Fetched:
    """The file at `target["path"]` in `target["commit"]`, or in the latest commit of `target["branch"]` (a branch or
    tag; the default branch when empty). `folder` is empty, and taken away afterwards by whoever made it.

    A commit may be abbreviated: it is then looked for in the branch's history.

    Raises NotFound (`RepositoryNotFound`, `BranchNotFound`, `CommitNotFound`, `PathNotFound`), InvalidInput
    (`InvalidSource`, `TooLarge`, `NotAFile`, `SourceNotTrusted`, …), Forbidden (`SourceForbidden`, `SecretRequired`) or
    Unavailable (`SourceUnreachable`, `GitMissing`, …).
    """
    repository = Repository.parse(request.target["repository"])
    path = _path(request.target["path"])
    to = route(repository.host, repository.port, AllowedHosts.parse(request.hosts), lookup)
    way = access(repository, to, request.secret, request.secret_name, folder)
    checkout = _Checkout(
        Git(folder / "one", repository, way),
        Git(folder / "history", repository, way),
        Meaning(repository, request.secret_name),
        request.target["branch"],
    )
    commit = checkout.bring(request.target["commit"])
    data = checkout.read(commit, path, request.max_bytes)
    return Fetched(data, f"git+{repository.shown}@{commit}:{path}", commit)


def _path(text: str) -> str:
    path = posixpath.normpath(text)
    if re.search(r"[\x00-\x1f\x7f\\]", text) or path.startswith(("/", "..")) or path == ".":
        raise InvalidInput(f"{text[:80]!r} is not the path of a file in a repository.", reason="InvalidSource")
    return path


class _Checkout:
    """One commit in a repository of our own; a second one takes the history where that must be looked through."""

    def __init__(self, one: Git, history: Git, meaning: Meaning, branch: str) -> None:
        self._one = one
        self._history = history
        self._meaning = meaning
        self._branch = branch
        if branch and _NO_BRANCH.search(branch):
            raise InvalidInput(f"{branch[:80]!r} is not the name of a branch or tag.", reason="InvalidSource")

    def bring(self, commit: str) -> str:
        """Fetches the commit, and gives its full id."""
        if not commit:
            return self._bring_latest()
        if not _COMMIT.fullmatch(commit):
            raise InvalidInput(f"{commit[:80]!r} is not the id of a commit.", reason="InvalidSource")
        full = commit if len(commit) in _FULL else self._in_history(commit)
        self._one.create("sha256" if len(full) == 64 else "sha1")
        found = self._fetch(self._one, full, "--depth=1", "--filter=blob:none")
        if not found.ok and self._meaning.no_such_object(found.stderr):
            # Some servers give only the tips of branches by their ids: the way to the rest leads through those.
            full = self._in_history(full)
            found = self._fetch_branch(self._one, "--filter=blob:none")
        if not found.ok:
            raise self._meaning.of(found)
        return full

    def _bring_latest(self) -> str:
        self._one.create()
        found = self._fetch_branch(self._one, "--depth=1", "--filter=blob:none")
        if not found.ok:
            raise self._meaning.of(found)
        return self._commit_at(self._one, _FETCHED) or self._not_a_commit()

    def _not_a_commit(self) -> str:
        raise InvalidInput(f"{self._branch!r} is no branch, nor the tag of a commit.", reason="InvalidSource")

    def _in_history(self, commit: str) -> str:
        """The full id of a commit of the branch's history, of which only commits are fetched."""
        if not (self._history.folder / "repository").exists():
            self._history.create("sha256" if len(commit) == 64 else "sha1")
            found = self._fetch_branch(self._history, "--filter=tree:0")
            if not found.ok:
                raise self._meaning.of(found)
        full = self._commit_at(self._history, commit)
        if full is None:
            ambiguous = self._history.run("rev-parse", f"--disambiguate={commit}").stdout.split()
            several = len(ambiguous) > 1
            where = f"branch {self._branch}" if self._branch else "the default branch"
            raise NotFound(
                f"{commit} is the beginning of {len(ambiguous)} commits."
                if several
                else f"{self._meaning.repository.shown} has no commit {commit} in the history of {where}.",
                reason="CommitNotFound",
                hint="Give more of its digits." if several else "Give all of its digits, or the branch that it is on.",
            )
        return full

    def _fetch_branch(self, git: Git, *options: str) -> Outcome:
        """Fetches the branch, else the tag, of the name that was given; the default branch when none was."""
        if not self._branch:
            found = self._fetch(git, "HEAD", *options)
            if not found.ok and self._meaning.no_such_ref(found.stderr):
                raise NotFound(
                    f"{self._meaning.repository.shown} has no default branch.",
                    reason="BranchNotFound",
                    hint=f"Name one in gitRef.branch. {nearest.hint('main', self._branches(git))}".rstrip(),
                )
            return found
        for kind in ("heads", "tags"):
            found = self._fetch(git, f"refs/{kind}/{self._branch}", *options)
            if found.ok or not self._meaning.no_such_ref(found.stderr):
                return found
        raise NotFound(
            f"{self._meaning.repository.shown} has no branch or tag {self._branch!r}.",
            reason="BranchNotFound",
            hint=nearest.hint(self._branch, self._branches(git)) or "It has no branches: it is empty.",
        )

    def _fetch(self, git: Git, what: str, *options: str) -> Outcome:
        command = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance", *options]
        found = git.run(*command, "origin", f"+{what}:{_FETCHED}")
        if not found.ok and git.object_format == "sha1" and self._meaning.other_object_format(found.stderr):
            git.create("sha256")
            found = git.run(*command, "origin", f"+{what}:{_FETCHED}")
        return found

    def _branches(self, git: Git) -> list[str]:
        lines = git.run("ls-remote", "--heads", "--tags", "--refs", "origin", most=_LIST_BYTES).stdout
        return [ref.split("/", 2)[2] for ref in re.findall(r"\trefs/[^\n]*(?=\n)", lines.decode("utf-8", "replace"))]

    def _commit_at(self, git: Git, name: str) -> str | None:
        found = git.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        return found.stdout.decode().strip() if found.ok else None

    def read(self, commit: str, path: str, most: int) -> bytes:
        """The bytes of a file in the commit that was brought."""
        listed = self._one.run("ls-tree", "-z", "--full-tree", commit, "--", path)
        if not listed.ok:
            raise self._meaning.of(listed)
        if not listed.stdout:
            names = self._one.run("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit, most=_LIST_BYTES).stdout
            raise NotFound(
                f"There is no {path!r} in commit {commit[:12]} of {self._meaning.repository.shown}.",
                reason="PathNotFound",
                hint=nearest.hint(path, names.decode("utf-8", "replace").split("\0")[:-1]),
            )
        mode, _, blob = listed.stdout.split(b"\t", 1)[0].decode().split(" ")
        if mode in _KINDS:
            raise InvalidInput(
                f"{path!r} is {_KINDS[mode]} in {self._meaning.repository.shown}.",
                reason="NotAFile",
                hint="Give the path of the file itself.",
            )
        return self._blob(blob, path, most)

    def _blob(self, blob: str, path: str, most: int) -> bytes:
        size = self._one.run("cat-file", "-s", blob)  # this is what fetches it
        if not size.ok:
            raise self._meaning.of(size)
        content = self._one.run("cat-file", "blob", blob, most=most) if int(size.stdout) <= most else None
        if content is None or content.cut:
            raise InvalidInput(
                f"{path!r} has {int(size.stdout):,} bytes; at most {most:,} are taken.",
                reason="TooLarge",
                hint="Write the circuit as QPY, or split it.",
            )
        if not content.ok:
            raise self._meaning.of(content)
        if content.stdout.startswith(_LFS):
            raise InvalidInput(
                f"{path!r} is kept in Git LFS, from which nothing is fetched.",
                reason="NotAFile",
                hint="Commit the file itself, or use source url.",
            )
        return content.stdout
