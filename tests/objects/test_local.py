"""What only the store in a folder does: durability, permissions, what lies on the disk."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from qtasks.errors import InvalidInput, Unavailable
from qtasks.objects import open_store
from qtasks.objects.local import LocalStore


def test_an_object_is_a_plain_file_under_its_key(tmp_path: Path) -> None:
    LocalStore(tmp_path / "objects").put("completed/ns/j/result.json", b"{}")
    assert (tmp_path / "objects/completed/ns/j/result.json").read_bytes() == b"{}"
    assert [path.name for path in (tmp_path / "objects").rglob("*") if path.is_file()] == ["result.json"]


def test_the_folder_is_made_on_first_use_for_its_owner_only(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "new" / "objects")
    assert list(store.list()) == []
    assert not (tmp_path / "new").exists()
    store.put("a", b"x")
    assert stat.S_IMODE((tmp_path / "new" / "objects").stat().st_mode) == 0o700


def test_deleting_the_last_object_removes_the_empty_folders_but_never_the_root(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("pending/ns/j/input.qpy", b"x")
    store.put("pending/other", b"x")
    store.delete("pending/ns/j/input.qpy")
    assert [path.name for path in (tmp_path / "pending").iterdir()] == ["other"]
    store.delete("pending/other")
    assert tmp_path.is_dir()
    assert not any(tmp_path.iterdir())


def test_a_key_cannot_be_the_folder_of_another(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("a/b", b"x")
    for key in ("a", "a/b/c"):
        with pytest.raises(InvalidInput) as caught:
            store.put(key, b"y")
        assert caught.value.reason == "InvalidObjectKey"
    assert list(tmp_path.rglob(".tmp-*")) == []
    store.delete("a")
    assert store.get("a/b") == b"x"


WRITE_FOR_EVER = """
import sys
from qtasks.objects import open_store
store = open_store(sys.argv[1])
while True:
    store.put("torn/object", b"x" * 50_000_000)
"""


def test_a_file_half_written_when_its_writer_is_killed_is_never_an_object(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    with subprocess.Popen([sys.executable, "-c", WRITE_FOR_EVER, store.url]) as writer:
        deadline = time.monotonic() + 20
        while not any(0 < half.stat().st_size < 50_000_000 for half in _unfinished(tmp_path)):
            assert time.monotonic() < deadline
        os.kill(writer.pid, signal.SIGKILL)
    assert len(list(tmp_path.rglob(".tmp-*"))) <= 1
    if store.exists("torn/object"):  # an earlier round
        assert store.get("torn/object") == b"x" * 50_000_000
    else:
        assert list(store.list()) == []
    store.put("torn/object", b"again")
    assert list(store.list()) == ["torn/object"]
    assert store.get("torn/object") == b"again"


def _unfinished(folder: Path) -> list[Path]:
    return [path for path in folder.rglob(".tmp-*") if path.exists()]


def test_processes_that_write_one_key_at_once_leave_one_of_their_versions(tmp_path: Path) -> None:
    code = (
        "import sys; from qtasks.objects import open_store\n"
        "store = open_store(sys.argv[1])\n"
        "for _ in range(50): store.put('a/b', sys.argv[2].encode() * 50_000)"
    )
    store = LocalStore(tmp_path)
    writers = [subprocess.Popen([sys.executable, "-c", code, store.url, letter]) for letter in "xyz"]
    assert [writer.wait(30) for writer in writers] == [0, 0, 0]
    assert store.get("a/b") in (b"x" * 50_000, b"y" * 50_000, b"z" * 50_000)
    assert list(tmp_path.rglob(".tmp-*")) == []


REFUSED = """
import os, sys
from qtasks.errors import QTasksError
from qtasks.objects.local import LocalStore
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    LocalStore(sys.argv[1]).check()
except QTasksError as error:
    print(type(error).__name__, error.reason, sys.argv[1] in str(error))
"""


def test_a_folder_that_may_not_be_written_is_forbidden() -> None:
    with tempfile.TemporaryDirectory() as folder:  # not tmp_path: pytest's folders are closed to other users
        Path(folder).chmod(0o755)
        (Path(folder) / "locked").mkdir(mode=0o500)
        program = [sys.executable, "-c", REFUSED, f"{folder}/locked"]
        answer = subprocess.run(program, capture_output=True, text=True, timeout=30)
    assert (answer.stdout.strip(), answer.stderr) == ("Forbidden ObjectStoreForbidden True", "")


OUT_OF_ROOM = """
import resource, signal, sys
from qtasks.errors import Unavailable
from qtasks.objects import open_store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    open_store(sys.argv[1]).put("a/b", b"x" * 5000)
except Unavailable as error:
    print(error.reason)
"""


def test_a_write_that_fails_halfway_is_unavailable_and_leaves_nothing(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "small")
    store.put("before", b"x")
    program = [sys.executable, "-c", OUT_OF_ROOM, store.url]
    answer = subprocess.run(program, capture_output=True, text=True, timeout=30)
    assert (answer.stdout.strip(), answer.stderr) == ("ObjectStoreUnavailable", "")
    assert list(store.list()) == ["before"]
    assert list(tmp_path.rglob(".tmp-*")) == []


def test_a_folder_that_is_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises((InvalidInput, Unavailable)):
        LocalStore(tmp_path / "file").check()


def test_files_that_are_not_objects_are_not_listed(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("a/b", b"x")
    for name in (".tmp-1-2", "with blank", ".hidden"):
        (tmp_path / "a" / name).write_text("x")
    assert list(store.list()) == ["a/b"]


def test_addresses_may_be_percent_encoded(tmp_path: Path) -> None:
    folder = tmp_path / "with blank"
    store = open_store(folder.as_uri())
    store.put("a", b"x")
    assert (folder / "a").read_bytes() == b"x"
    assert store.url == folder.as_uri()
