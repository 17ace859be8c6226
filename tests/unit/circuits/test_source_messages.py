"""What passes between a worker and the process that fetches, and the secrets that it may need."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtasks.circuits.sources import Fetched, fetch, nearest
from qtasks.circuits.sources.child import answer
from qtasks.circuits.sources.messages import Request, decode_answer, decode_request, encode_answer, encode_request
from qtasks.errors import Conflict, Forbidden, InvalidInput, NotFound, QTasksError, Unavailable
from qtasks.resources import Circuit
from qtasks.secrets import read_secret
from qtasks.settings import Settings, settings


@given(st.binary(max_size=100), st.text(max_size=20), st.none() | st.text(max_size=20))
def test_what_was_fetched_comes_back_as_it_was(data: bytes, origin: str, commit: str | None) -> None:
    fetched = Fetched(data, origin, commit)
    assert decode_answer(encode_answer(fetched)) == fetched


@pytest.mark.parametrize("kind", [InvalidInput, NotFound, Forbidden, Unavailable])
def test_an_error_comes_back_as_it_was(kind: type[QTasksError]) -> None:
    error = kind("It is so.", reason="Why", hint="Do this.", details={"a": 1})
    with pytest.raises(kind) as raised:
        decode_answer(encode_answer(error))
    assert (raised.value.reason, raised.value.hint, raised.value.details) == ("Why", "Do this.", {"a": 1})


def test_an_error_of_another_kind_may_heal() -> None:
    with pytest.raises(Unavailable, match="It is so"):
        decode_answer(encode_answer(Conflict("It is so.")))


@pytest.mark.parametrize("cut", [0, 5, -1])
def test_an_answer_that_was_cut_short_is_none(cut: int) -> None:
    whole = encode_answer(Fetched(b"qc = 1", "x"))
    with pytest.raises((ValueError, KeyError)):
        decode_answer(whole[:cut])


def test_a_request_shows_no_secret_and_takes_it_along() -> None:
    request = Request("git", {}, "it", 1.0, 10, secret_name="lab", secret={"password": "hunter2"})
    assert "hunter2" not in repr(request)
    assert decode_request(encode_request(request)) == request


def test_no_error_of_a_fetch_repeats_its_secret() -> None:
    target = {"repository": "https://a.example/x.git", "path": "hunter2/..", "branch": "", "commit": ""}
    failed = answer(Request("git", target, "it", 5.0, 10, secret={"password": "hunter2"}))
    assert isinstance(failed, InvalidInput)
    assert "'***/..' is not the path of a file" in failed.message


def test_an_inline_circuit_is_not_fetched(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="source inline is not fetched"):
        fetch(
            Circuit(source="inline", code="x"),
            namespace="default",
            settings=Settings(home=tmp_path),
            timeout_seconds=1,
        )


@pytest.mark.parametrize(
    ("name", "existing", "said"),
    [
        ("mian", ["main", "other"], 'Did you mean "main"?'),
        ("search.py", ["a/b/search.py", "a/c.py"], 'Did you mean "a/b/search.py"?'),
        ("x", ["a", "b"], 'There is "a", "b".'),
        ("x", [str(number) for number in range(9)], 'There is "0", "1", "2", "3", "4" and more.'),
        ("x", [], ""),
    ],
)
def test_what_may_have_been_meant_is_named(name: str, existing: list[str], said: str) -> None:
    assert nearest.hint(name, existing) == said


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lab = tmp_path / "default" / "lab"
    lab.mkdir(parents=True)
    (lab / "..data").mkdir()
    (lab / "..data" / "token").write_text("hunter2\n")
    (lab / "token").symlink_to("..data/token")
    return tmp_path


def test_a_secret_is_read_as_kubernetes_mounts_it_and_its_repr_shows_no_value(folder: Path) -> None:
    secret = read_secret(Settings(secrets_dir=folder), namespace="default", name="lab")
    assert secret.values == {"token": "hunter2"}
    assert "hunter2" not in repr(secret)


def test_a_secret_of_another_namespace_is_not_there(folder: Path) -> None:
    for namespace, name in (("other", "lab"), ("default", "lab2")):
        with pytest.raises(NotFound) as error:
            read_secret(Settings(secrets_dir=folder), namespace=namespace, name=name)
        assert error.value.reason == "SecretNotFound"


@pytest.mark.parametrize("name", ["..", "../default/lab", "a/b", "", ".", "a..b", "Lab", "a\0b"])
def test_a_name_that_leads_elsewhere_is_refused(folder: Path, name: str) -> None:
    for asked in ({"namespace": name, "name": "lab"}, {"namespace": "default", "name": name}):
        with pytest.raises(InvalidInput) as error:
            read_secret(Settings(secrets_dir=folder), **asked)
        assert error.value.reason == "InvalidSecret"


def test_a_value_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / "default" / "lab" / "password").write_bytes(b"\xff")
    with pytest.raises(InvalidInput, match="not text"):
        read_secret(Settings(secrets_dir=folder), namespace="default", name="lab")


def test_hosts_that_cannot_be_read_are_refused_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    settings.cache_clear()
    monkeypatch.setenv("QTASKS_SOURCE_HOSTS", "a.example, https://b.example/")
    try:
        with pytest.raises(InvalidInput, match=r"QTASKS_SOURCE_HOSTS: 'https://b\.example/' is not of the form"):
            settings()
    finally:
        settings.cache_clear()
