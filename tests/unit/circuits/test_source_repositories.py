"""Repositories' addresses, and what git's messages mean."""

from __future__ import annotations

import pytest

from qtasks.circuits.sources.git_access import access
from qtasks.circuits.sources.git_errors import Meaning
from qtasks.circuits.sources.git_process import Outcome
from qtasks.circuits.sources.hosts import Route
from qtasks.circuits.sources.repository import Repository
from qtasks.errors import InvalidInput


@pytest.mark.parametrize(
    ("written", "given", "shown"),
    [
        ("https://GitHub.com/a/b", "https://github.com/a/b", "https://github.com/a/b"),
        ("https://a.example:8443/b.git", "https://a.example:8443/b.git", "https://a.example:8443/b.git"),
        ("https://a.example:443/b.git", "https://a.example/b.git", "https://a.example/b.git"),
        ("https://[::1]/b.git", "https://[::1]/b.git", "https://[::1]/b.git"),
        ("ssh://git@a.example/b.git", "ssh://git@a.example/b.git", "ssh://a.example/b.git"),
        ("ssh://a.example:2222/~me/b.git", "ssh://a.example:2222/~me/b.git", "ssh://a.example:2222/~me/b.git"),
        ("git@A.example:b/c.git", "git@a.example:b/c.git", "ssh://a.example/b/c.git"),
    ],
)
def test_an_address_is_put_together_again(written: str, given: str, shown: str) -> None:
    repository = Repository.parse(written)
    assert (repository.url, repository.shown) == (given, shown)


@pytest.mark.parametrize(
    "address",
    [
        *("", "a/b", "/srv/b.git", "file:///srv/b.git", "ext::sh -c id", "ext::sh", "git://a.example/b"),
        *("http://a.example/b", "ftp://a.example/b", "fd::17/foo", "transport::https://a.example/b"),
        *("--upload-pack=id", "-oProxyCommand=id:x", "ssh://-oProxyCommand=id/x", "ssh://-v@a.example/x"),
        *("-v@a.example:x", "git@-v:x", "git@a.example:-x", "git@a.example:/srv/b.git"),
        *("ssh://git:hunter2@a.example/x", "https://me@a.example/x", "https://me:hunter2@a.example/x"),
        *("https://a.example", "https://a.example/", "ssh://a.example", "https:///x", "https://a.example:0/x"),
        *("https://a.example/x?y=z", "https://a.example/x#y", "https://a.example/x y", "https://a.example/x\ny"),
        *("https://a.example\\x/y", "ssh://a.example/$(id)", "ssh://a.example/;id", "git@a.example:`id`"),
        *("ssh://a.example/'x'", "https://127.1/x", "https://0x7f.1/x", "git@2130706433:x", "https://bücher.example/x"),
    ],
)
def test_any_other_address_is_refused_and_no_password_repeated(address: str) -> None:
    with pytest.raises(InvalidInput) as error:
        Repository.parse(address)
    assert error.value.reason == "InvalidSource"
    assert "hunter2" not in str(error.value)


def test_git_is_told_the_addresses_that_were_checked(tmp_path) -> None:
    repository = Repository.parse("https://a.example:8443/b.git")
    way = access(repository, Route("a.example", 8443, ("1.1.1.1", "2606:4700::1")), {}, "", tmp_path)
    assert ("http.curloptResolve", "a.example:8443:1.1.1.1,[2606:4700::1]") in way.config
    assert ("credential.helper", "") in way.config


def test_ssh_is_told_the_address_and_knows_the_host_by_its_name(tmp_path) -> None:
    to = Route("a.example", 2222, ("1.1.1.1",))
    repository = Repository.parse("ssh://git@a.example:2222/b.git")
    secret = {"ssh-privatekey": "hunter2", "known_hosts": "[a.example]:2222 ssh-ed25519 AAAA"}
    command = access(repository, to, secret, "lab", tmp_path).environment["GIT_SSH_COMMAND"]
    for part in ("-F /dev/null", "HostName=1.1.1.1", "HostKeyAlias=[a.example]:2222", "StrictHostKeyChecking=yes"):
        assert part in command.replace("'", "")
    assert "hunter2" not in command
    assert (tmp_path / "ssh-key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("said", "secret", "reason"),
    [
        ("fatal: unable to access 'x': Could not resolve host: a", "", "SourceUnreachable"),
        ("fatal: unable to access 'x': The requested URL returned error: 502", "", "SourceUnreachable"),
        ("fatal: unable to access 'x': The requested URL returned error: 429", "", "SourceUnreachable"),
        (
            "ssh: connect to host a port 22: Connection timed out\nfatal: Could not read from remote repository.",
            "s",
            "SourceUnreachable",
        ),
        ("fatal: early EOF\nfatal: index-pack failed", "", "SourceUnreachable"),
        ("", "", "SourceUnreachable"),
        ("fatal: unable to access 'x': The requested URL returned error: 301", "", "SourceRedirected"),
        ("fatal: unable to access 'x': The requested URL returned error: 403", "", "RepositoryNotFound"),
        ("fatal: unable to access 'x': The requested URL returned error: 403", "s", "SourceForbidden"),
        ("fatal: could not read Username for 'x': terminal prompts disabled", "", "RepositoryNotFound"),
        ("remote: Repository not found.\nfatal: repository 'x' not found", "", "RepositoryNotFound"),
        ("ERROR: Repository not found.\nfatal: Could not read from remote repository.", "s", "RepositoryNotFound"),
        ("git@a: Permission denied (publickey).", "s", "SourceForbidden"),
        ("Host key verification failed.", "s", "SourceNotTrusted"),
        ("server certificate verification failed. CAfile: none CRLfile: none", "", "SourceNotTrusted"),
        ("fatal: fetch-pack: index-pack died of signal 25", "", "TooLarge"),
        ("fatal: dumb http transport does not support shallow capabilities", "", "ServerUnsupported"),
    ],
)
def test_messages_of_git_are_told_apart(said: str, secret: str, reason: str) -> None:
    meaning = Meaning(Repository.parse("https://a.example/b.git"), secret)
    assert meaning.of(Outcome(128, b"", said)).reason == reason


def test_what_a_server_says_is_shown_as_one_plain_line() -> None:
    meaning = Meaning(Repository.parse("https://a.example/b.git"), "")
    error = meaning.of(Outcome(1, b"", "fatal: \x1b[31m" + "é" * 5000 + "\nnext"))
    assert error.message.isprintable() and error.message.isascii()
    assert len(error.message) < 500
