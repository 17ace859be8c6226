"""What every object store does, whichever it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qtasks.errors import InvalidInput, NotFound
from qtasks.objects import ObjectStore

from .conftest import PAGE

segments = st.text("abXYZ019._-", min_size=1, max_size=8).filter(lambda text: not text.startswith("."))
keys = st.lists(segments, min_size=1, max_size=3).map("/".join)


def test_what_is_put_is_got(store: ObjectStore) -> None:
    store.put("completed/default/j1/result.json", b'{"a":1}')
    assert store.get("completed/default/j1/result.json") == b'{"a":1}'
    assert store.exists("completed/default/j1/result.json")


def test_an_empty_object_is_an_object(store: ObjectStore) -> None:
    store.put("empty", b"")
    assert store.get("empty") == b""
    assert store.get("empty", 0, 5) == b""
    assert store.exists("empty")


def test_putting_again_replaces(store: ObjectStore) -> None:
    store.put("a/b", b"a long first version")
    store.put("a/b", b"second")
    store.put("a/b", b"second")
    assert store.get("a/b") == b"second"
    assert list(store.list()) == ["a/b"]


def test_five_megabytes_come_back_whole(store: ObjectStore) -> None:
    data = os.urandom(5 * 2**20)
    store.put("big", data)
    assert store.get("big") == data
    assert store.get("big", 5 * 2**20 - 10) == data[-10:]


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [
        (0, None, b"0123456789"),
        (0, 4, b"0123"),
        (3, 4, b"3456"),
        (3, None, b"3456789"),
        (8, 100, b"89"),
        (9, 1, b"9"),
        (10, 1, b""),
        (50, None, b""),
        (4, 0, b""),
    ],
)
def test_a_range_is_read_as_a_slice(store: ObjectStore, offset: int, length: int | None, expected: bytes) -> None:
    store.put("digits", b"0123456789")
    assert store.get("digits", offset, length) == expected


def test_a_range_cannot_count_backwards(store: ObjectStore) -> None:
    store.put("digits", b"0123456789")
    for offset, length in ((-1, None), (0, -1)):
        with pytest.raises(InvalidInput) as caught:
            store.get("digits", offset, length)
        assert caught.value.reason == "InvalidRange"


def test_a_missing_object_is_not_found(store: ObjectStore) -> None:
    store.put("here/too", b"x")
    for missing in ("nowhere/to/be/found", "here", "here/too/deep"):
        for offset, length in ((0, None), (3, 4), (0, 0)):
            with pytest.raises(NotFound) as caught:
                store.get(missing, offset, length)
            assert caught.value.reason == "ObjectNotFound"
            assert missing in caught.value.message
        assert not store.exists(missing)


def test_what_is_deleted_is_gone_and_deleting_again_is_fine(store: ObjectStore) -> None:
    store.put("pending/ns/j/input.qpy", b"x")
    store.put("pending/ns/k/input.qpy", b"y")
    for _ in range(2):
        store.delete("pending/ns/j/input.qpy")
        assert not store.exists("pending/ns/j/input.qpy")
    store.delete("never/was")
    assert list(store.list()) == ["pending/ns/k/input.qpy"]


def test_the_list_of_an_empty_store_is_empty(store: ObjectStore) -> None:
    assert list(store.list()) == []
    assert list(store.list("pending/")) == []


def test_a_list_is_by_prefix_and_in_order(store: ObjectStore) -> None:
    for key in ("p/b", "p/a/2", "p/a/1", "p/a-b", "p/a.b", "q", "pp"):
        store.put(key, b"x")
    assert list(store.list("p/")) == ["p/a-b", "p/a.b", "p/a/1", "p/a/2", "p/b"]
    assert list(store.list("p/a")) == ["p/a-b", "p/a.b", "p/a/1", "p/a/2"]
    assert list(store.list("p/a/")) == ["p/a/1", "p/a/2"]
    assert list(store.list("p")) == ["p/a-b", "p/a.b", "p/a/1", "p/a/2", "p/b", "pp"]
    assert list(store.list("p/a/1")) == ["p/a/1"]
    assert list(store.list("x")) == []


def test_a_list_goes_beyond_one_page(store: ObjectStore) -> None:
    names = sorted(f"many/{number}" for number in range(2 * PAGE + 1))
    for name in names:
        store.put(name, b"")
    assert list(store.list("many/")) == names


def test_check_leaves_nothing_behind(store: ObjectStore) -> None:
    store.check()
    assert list(store.list()) == []


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "/etc/passwd",
        "../up",
        "a/../b",
        "a//b",
        "a/",
        "./a",
        "a/.",
        ".tmp-1",
        "a b",
        "a\\b",
        "a\0",
        "ä",
        "a\n",
        "a" * 201,
        "/".join(["a" * 100] * 9),
        "%2e%2e/x",
        "~root/x",
        "C:x",
    ],
)
def test_a_key_that_could_lead_elsewhere_is_refused(store: ObjectStore, key: str) -> None:
    for operation in (store.get, store.delete, store.exists, lambda key: store.put(key, b"x")):
        with pytest.raises(InvalidInput) as caught:
            operation(key)
        assert caught.value.reason == "InvalidObjectKey"


@pytest.mark.parametrize("prefix", ["/", "..", "../", "a/../", "a//", ".t", "a/.t", "a b"])
def test_a_prefix_that_could_lead_elsewhere_is_refused(store: ObjectStore, prefix: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        store.list(prefix)
    assert caught.value.reason == "InvalidObjectKey"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(keys, st.binary(max_size=20), max_size=5), keys)
def test_a_store_is_a_mapping_in_order(store: ObjectStore, contents: dict[str, bytes], some_key: str) -> None:
    folder = uuid.uuid4().hex
    wanted = {
        f"{folder}/{key}": data
        for key, data in contents.items()
        if not any(other.startswith(f"{key}/") or key.startswith(f"{other}/") for other in contents)
    }
    for key, data in wanted.items():
        store.put(key, data)
    assert {key: store.get(key) for key in store.list(folder)} == wanted
    for prefix in (folder, f"{folder}/{some_key}", f"{folder}/{some_key[:2]}", *(key[:-1] for key in wanted)):
        assert list(store.list(prefix)) == sorted(key for key in wanted if key.startswith(prefix))
    for key in wanted:
        store.delete(key)
    assert list(store.list(folder)) == []


def test_a_reader_never_sees_half_of_an_object(store: ObjectStore) -> None:
    versions = [bytes([number]) * 200_000 for number in range(8)]
    store.put("contended/object", versions[0])

    def write(version: bytes) -> None:
        for _ in range(5):
            store.put("contended/object", version)

    def read(_: int) -> bool:
        return all(store.get("contended/object") in versions for _ in range(10))

    with ThreadPoolExecutor(12) as pool:
        writing = [pool.submit(write, version) for version in versions]
        reading = pool.map(read, range(4))
        assert all(reading)
        for future in writing:
            future.result()
    assert list(store.list()) == ["contended/object"]


def test_puts_and_deletes_of_neighbours_do_not_disturb_each_other(store: ObjectStore) -> None:
    def come_and_go(number: int) -> None:
        for _ in range(10):
            store.put(f"pending/ns/same/{number}", b"x")
            store.delete(f"pending/ns/same/{number}")
        store.put(f"pending/ns/same/{number}", b"last")

    with ThreadPoolExecutor(6) as pool:
        for future in [pool.submit(come_and_go, number) for number in range(6)]:
            future.result()
    assert list(store.list()) == [f"pending/ns/same/{number}" for number in range(6)]


PUT_FOR_EVER = """
import sys
from qtasks.objects import open_store
store = open_store(sys.argv[1])
for number in range(1000):
    store.put(f"torn/{number}", b"x" * 20_000_000)
    print(number, flush=True)
"""


def test_a_writer_killed_in_the_middle_leaves_no_object_to_see(store: ObjectStore, url: str) -> None:
    with subprocess.Popen([sys.executable, "-c", PUT_FOR_EVER, url], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        done = int(writer.stdout.readline())
        os.kill(writer.pid, signal.SIGKILL)
        done = max([done, *map(int, writer.stdout.read().split())])
    found = list(store.list())
    assert found[: done + 1] == [f"torn/{number}" for number in range(done + 1)]
    assert len(found) <= done + 2  # one may have been finished and not yet reported
    for key in found:
        assert len(store.get(key)) == 20_000_000


USE_ACROSS_FORKS = """
import os, sys
from qtasks.objects import open_store
store = open_store(sys.argv[1])
for child in range(4):
    for number in range(25):
        store.put(f"{child}/{number}", f"{child} {number}".encode())
children = []
for child in range(4):
    pid = os.fork()
    if pid == 0:
        wrong = sum(store.get(f"{child}/{n}") != f"{child} {n}".encode() for n in range(25) for _ in range(2))
        os._exit(min(wrong, 100))
    children.append(pid)
assert store.get("0/0") == b"0 0"
print([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children])
"""


def test_a_store_used_before_a_fork_answers_right_after_it(url: str, store: ObjectStore) -> None:
    run = subprocess.run([sys.executable, "-c", USE_ACROSS_FORKS, url], capture_output=True, text=True, timeout=60)
    assert (run.stdout.strip(), run.stderr) == ("[0, 0, 0, 0]", "")


def test_a_walk_says_when_each_object_was_written(store: ObjectStore) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)  # S3 counts whole seconds
    store.put("walked/a", b"x")
    store.put("walked/b/c", b"x")
    found = list(store.walk("walked/"))
    assert [each.key for each in found] == ["walked/a", "walked/b/c"]
    assert all(before <= each.written_at <= datetime.now(UTC) + timedelta(seconds=2) for each in found)


def test_a_walk_goes_on_behind_where_another_one_stopped(store: ObjectStore) -> None:
    names = sorted(["w/a", "w/a-b", "w/a.b", "w/a/1", "w/a/2", "w/b", *(f"w/c/{number}" for number in range(PAGE))])
    names.remove("w/a")  # the folder of others
    for name in [*names, "v", "x/1"]:
        store.put(name, b"")
    for place, name in enumerate(names):
        assert [each.key for each in store.walk("w/", after=name)] == names[place + 1 :]
    assert [each.key for each in store.walk("w/", after="w/a/1x")] == names[names.index("w/a/2") :]
    assert list(store.walk("w/", after="x")) == []
    assert [each.key for each in store.walk("w/", after="a/b")] == names
