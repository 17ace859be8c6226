"""Circuits from Git repositories, from git's own server over https: the right bytes of the right commit, no more."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path
from typing import Any

import pytest

from qtasks.circuits.sources.git import fetch_file
from qtasks.circuits.sources.messages import Request
from qtasks.errors import Forbidden, InvalidInput, NotFound, QTasksError, Unavailable
from tests.sources.conftest import Fetch, Serve
from tests.sources.repositories import MadeRepository, backend, plain_files
from tests.sources.web_server import Asked, WebServer

pytestmark = pytest.mark.system


def git(server: WebServer, path: str = "algorithms/grover/search.py", **more: Any) -> dict[str, Any]:
    return {"source": "git", "gitRef": {"repository": server.url("/algorithms.git"), "path": path, **more}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "repositories").mkdir()
    return tmp_path / "repositories"


@pytest.fixture
def made(root: Path) -> MadeRepository:
    """Two commits of `algorithms/grover/search.py` on main, "1" and "2", beside a large file that nobody wants."""
    return make(root)


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> MadeRepository:
    """The same with a symbolic link, a submodule and a file in Git LFS."""
    made = make(tmp_path_factory.mktemp("odd"))
    made.git("update-index", "--add", "--cacheinfo", f"160000,{made.git('rev-parse', 'HEAD')},module")
    made.git("commit", "-q", "-m", "submodule")
    (made.work / "module").mkdir()
    made.commit(
        {"lfs.py": "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"},
        links={"link.py": "/etc/passwd", "linked": "algorithms/grover"},
    )
    return made


def make(root: Path) -> MadeRepository:
    made = MadeRepository(root)
    made.git("config", "uploadpack.allowFilter", "true", at=made.folder)
    noise = b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(2**17))
    made.commit({"algorithms/grover/search.py": "1", "large.bin": noise, "README": "read me"})
    made.commit({"algorithms/grover/search.py": "2"})
    return made


def test_the_latest_commit_of_the_default_branch_is_used_and_named(
    serve: Serve, get: Fetch, root: Path, made: MadeRepository, own_world: Path
) -> None:
    sent = []

    def counting(asked: Asked) -> None:
        write = asked.wfile.write
        asked.wfile.write = lambda data: sent.append(len(data)) or write(data)  # type: ignore[method-assign]
        backend(root)(asked)

    server = serve(counting)
    fetched = get(git(server))
    head = made.git("rev-parse", "HEAD")
    assert fetched.data == b"2"
    assert fetched.commit == head
    assert fetched.origin == f"git+{server.url('/algorithms.git')}@{head}:algorithms/grover/search.py"
    assert sum(sent) < 2**17  # of 4 MiB: nothing but the commit, its trees and the one file came
    assert list(own_world.iterdir()) == []


def test_branches_tags_and_commits_are_found(serve: Serve, get: Fetch, root: Path, made: MadeRepository) -> None:
    server = serve(backend(root))
    first, second = made.git("rev-parse", "HEAD~1"), made.git("rev-parse", "HEAD")
    made.git("tag", "-a", "v1", "-m", "annotated", first)
    made.git("push", "-q", str(made.folder), "v1", f"{first}:refs/heads/old/one")
    for wanted, data, commit in (
        ({"branch": "main"}, b"2", second),
        ({"branch": "old/one"}, b"1", first),
        ({"branch": "v1"}, b"1", first),
        ({"commit": first}, b"1", first),
        ({"commit": first[:7]}, b"1", first),
        ({"commit": first[:12].upper(), "branch": "main"}, b"1", first),
    ):
        fetched = get(git(server, **wanted))
        assert (fetched.data, fetched.commit) == (data, commit), wanted


def test_a_branch_that_moves_gives_what_it_has_and_a_commit_stays(
    serve: Serve, get: Fetch, root: Path, made: MadeRepository
) -> None:
    server = serve(backend(root))
    second = get(git(server, branch="main")).commit
    third = made.commit({"algorithms/grover/search.py": "3"})
    assert get(git(server, branch="main")).commit == third
    made.git("commit", "-q", "--amend", "-m", "rewritten", "--allow-empty")
    made.git("push", "-q", str(made.folder), "+HEAD:refs/heads/main")
    assert get(git(server, branch="main")).commit == made.git("rev-parse", "HEAD") != third
    assert get(git(server, commit=second)).data == b"2"
    assert get(git(server, commit=third)).data == b"3"  # no branch has it any more


def test_a_server_of_the_oldest_protocol_without_partial_clones_is_served_too(
    serve: Serve, get: Fetch, root: Path, made: MadeRepository
) -> None:
    made.git("config", "uploadpack.allowFilter", "false", at=made.folder)
    server = serve(backend(root, protocol=False))
    first = made.git("rev-parse", "HEAD~1")
    assert get(git(server)).data == b"2"
    assert get(git(server, commit=first)).data == b"1"  # such a server refuses a commit that no branch ends at
    assert get(git(server, commit=first[:8])).data == b"1"
    with pytest.raises(NotFound) as error:
        get(git(server, commit="0" * 40))
    assert error.value.reason == "CommitNotFound"


def test_a_repository_of_sha256_ids_is_served_too(serve: Serve, get: Fetch, root: Path) -> None:
    made = MadeRepository(root, object_format="sha256")
    commit = made.commit({"a.py": "1"})
    server = serve(backend(root))
    assert len(commit) == 64
    for wanted in ({}, {"commit": commit}, {"commit": commit[:10]}):
        assert get(git(server, "a.py", **wanted)).commit == commit


@pytest.mark.parametrize(
    ("wanted", "reason", "said"),
    [
        ({"branch": "mian"}, "BranchNotFound", "no branch or tag 'mian'. Did you mean \"main\"?"),
        ({"branch": "a..b"}, "InvalidSource", "'a..b' is not the name of a branch"),
        ({"commit": "0" * 40}, "CommitNotFound", "in the history of the default branch"),
        ({"commit": "0123456", "branch": "main"}, "CommitNotFound", "no commit 0123456 in the history of branch main"),
        ({"path": "search.py"}, "PathNotFound", 'Did you mean "algorithms/grover/search.py"?'),
        ({"path": "algorithms/grove/search.py"}, "PathNotFound", 'Did you mean "algorithms/grover/search.py"?'),
        ({"path": "algorithms/grover"}, "NotAFile", "is a folder"),
        ({"path": "link.py"}, "NotAFile", "is a symbolic link"),
        ({"path": "linked/search.py"}, "PathNotFound", ""),
        ({"path": "module"}, "NotAFile", "is a submodule"),
        ({"path": "lfs.py"}, "NotAFile", "Git LFS"),
        ({"path": ":(glob)**"}, "PathNotFound", ""),
        ({"path": "large.bin"}, "TooLarge", "has 4,194,304 bytes; at most 1,000,000 are taken"),
    ],
)
def test_what_was_wrong_is_told(
    serve: Serve, get: Fetch, odd: MadeRepository, wanted: dict[str, str], reason: str, said: str
) -> None:
    with pytest.raises((InvalidInput, NotFound)) as error:
        get(git(serve(backend(odd.folder.parent)), **wanted), max_input_bytes=1_000_000)
    assert error.value.reason == reason
    assert said in str(error.value)


def test_an_abbreviation_that_fits_two_commits_is_refused(serve: Serve, get: Fetch, root: Path) -> None:
    made = MadeRepository(root)
    tree = made.git("hash-object", "-t", "tree", "-w", "--stdin")
    seen: dict[str, bytes] = {}
    number = 0
    while True:
        text = f"tree {tree}\nauthor A <a@b> 0 +0000\ncommitter A <a@b> 0 +0000\n\n{number}\n".encode()
        short = hashlib.sha1(b"commit %d\0" % len(text) + text).hexdigest()[:7]
        if short in seen:
            break
        seen[short], number = text, number + 1
    two = [made.git("hash-object", "-t", "commit", "-w", "--stdin", given=given) for given in (seen[short], text)]
    merge = made.git("commit-tree", tree, "-p", two[0], "-p", two[1], "-m", "both")
    made.git("push", "-q", str(made.folder), f"{merge}:refs/heads/main")
    with pytest.raises(NotFound, match=f"{short} is the beginning of 2 commits"):
        get(git(serve(backend(root)), commit=short))


def test_a_repository_that_is_not_there_or_empty_is_told(serve: Serve, get: Fetch, root: Path) -> None:
    server = serve(backend(root))
    with pytest.raises(NotFound) as error:
        get(git(server))
    assert error.value.reason == "RepositoryNotFound"
    MadeRepository(root)
    with pytest.raises(NotFound) as error:
        get(git(server))
    assert error.value.reason == "BranchNotFound"


def secret(home: Path, **values: str) -> None:
    folder = home / "secrets" / "default" / "lab"
    folder.mkdir(parents=True)
    for key, value in values.items():
        (folder / key.replace("_", "-")).write_text(value + "\n")


@pytest.mark.parametrize("values", [{"username": "me", "password": "hunter2/@: x"}, {"token": "hunter2/@: x"}])
def test_a_private_repository_needs_the_secret_of_its_namespace(
    serve: Serve, get: Fetch, root: Path, made: MadeRepository, tmp_path: Path, values: dict[str, str]
) -> None:
    server = serve(backend(root, user=values.get("username", "oauth2"), password="hunter2/@: x"))
    secret(tmp_path / "home", **values)
    assert get(git(server, secretRef={"name": "lab"})).data == b"2"
    with pytest.raises(NotFound) as error:
        get(git(server))
    assert error.value.reason == "RepositoryNotFound"
    assert "gitRef.secretRef" in error.value.hint
    with pytest.raises(NotFound) as error:
        get(git(server, secretRef={"name": "other"}))
    assert error.value.reason == "SecretNotFound"


def test_credentials_that_are_refused_are_not_repeated(
    serve: Serve, get: Fetch, root: Path, made: MadeRepository, tmp_path: Path
) -> None:
    secret(tmp_path / "home", username="me", password="hunter2")
    with pytest.raises(Forbidden, match="secret lab") as error:
        get(git(serve(backend(root, user="me", password="another")), secretRef={"name": "lab"}))
    assert error.value.reason == "SourceForbidden"
    assert "hunter2" not in repr(error.value) + str(error.value)


def test_credentials_go_to_their_host_only(serve: Serve, get: Fetch, root: Path, tmp_path: Path) -> None:
    secret(tmp_path / "home", username="me", password="hunter2")
    thief = serve(lambda asked: asked.reply(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'}))
    first = serve(lambda asked: asked.reply(status=302, headers={"Location": thief.url(asked.path)}))
    with pytest.raises(InvalidInput) as error:
        get(git(first, secretRef={"name": "lab"}))
    assert error.value.reason == "SourceRedirected"
    assert thief.requests == []


def test_a_secret_without_the_keys_that_are_needed_is_told(
    serve: Serve, get: Fetch, root: Path, tmp_path: Path
) -> None:
    secret(tmp_path / "home", ssh_privatekey="hunter2")
    server = serve(backend(root))
    with pytest.raises(InvalidInput, match="neither username and password nor token") as error:
        get(git(server, secretRef={"name": "lab"}))
    assert error.value.reason == "SecretIncomplete"
    with pytest.raises(Forbidden, match=r"reached with a key only.*gitRef\.secretRef"):
        get({"source": "git", "gitRef": {"repository": "git@localhost:a/b.git", "path": "a.py"}})


def test_plain_files_are_no_server(serve: Serve, get: Fetch, root: Path, made: MadeRepository) -> None:
    made.git("update-server-info", at=made.folder)
    with pytest.raises(InvalidInput) as error:
        get(git(serve(plain_files(root))))
    assert error.value.reason == "ServerUnsupported"


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (lambda asked: asked.reply(status=503), Unavailable, "SourceUnreachable"),
        (lambda asked: asked.reply(status=404), NotFound, "RepositoryNotFound"),
        (lambda asked: asked.reply(b"<html>\n<h1>Hello</h1>\n</html>\n"), NotFound, "RepositoryNotFound"),
        (lambda asked: asked.wfile.write(b"\0" * 1000), Unavailable, "SourceUnreachable"),
    ],
)
def test_other_answers_tell_what_may_heal(
    serve: Serve, get: Fetch, answer: Any, kind: type[QTasksError], reason: str
) -> None:
    with pytest.raises(kind) as error:
        get(git(serve(answer)))
    assert error.value.reason == reason


def test_a_server_that_cannot_be_reached_or_trusted_is_told(
    serve: Serve, get: Fetch, root: Path, made: MadeRepository
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for repository in (f"https://localhost:{port}/a.git", "https://no-such-host.invalid/a.git"):
        with pytest.raises(Unavailable) as error:
            get({"source": "git", "gitRef": {"repository": repository, "path": "a.py"}})
        assert error.value.reason == "SourceUnreachable"
    other = serve(backend(root), names=("elsewhere.example",))
    with pytest.raises(InvalidInput) as untrusted:
        get(git(other))
    assert untrusted.value.reason == "SourceNotTrusted"
    assert other.requests == []


def test_loopback_is_refused_unless_the_setting_allows_the_host(
    serve: Serve, get: Fetch, root: Path, made: MadeRepository
) -> None:
    server = serve(backend(root))
    with pytest.raises(Forbidden) as error:
        get(git(server), source_hosts="")
    assert error.value.reason == "SourceForbidden"
    assert server.requests == []


def test_the_connection_goes_to_the_address_that_was_checked(
    serve: Serve, root: Path, made: MadeRepository, tmp_path: Path
) -> None:
    server = serve(backend(root), names=("circuits.example",))
    answers = iter([[(socket.AF_INET, 1, 6, "", ("127.0.0.1", server.port))]])  # a second look-up would fail
    target = {"repository": server.url("/algorithms.git", "circuits.example"), "path": "README"}
    asked = Request("git", target | {"branch": "", "commit": ""}, "it", 10, 1000, "circuits.example")
    folder = tmp_path / "fetch"
    folder.mkdir()
    assert fetch_file(asked, folder, lambda *_, **__: next(answers)).data == b"read me"
    assert {headers["Host"] for _, headers in server.requests} == {f"circuits.example:{server.port}"}
