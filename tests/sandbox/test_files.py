"""Attacks on files: reading what is not the sandbox's, writing anything at all, and what stat still tells."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import qtasks
from tests.sandbox.attempts import not_refused, outcomes, outside
from tests.sandbox.users import AS_WE_ARE, POD, USERS, Attacked

CHECKOUT = Path(qtasks.__file__).parents[1]


def reading(attacked: Attacked) -> dict[str, str]:
    secret = str(attacked.secret)
    return {
        "passwd": "open('/etc/passwd').read()",
        "hosts": "open('/etc/hosts').read()",
        "secret": f"open({secret!r}).read()",
        "os-open": f"os.open({secret!r}, os.O_RDONLY)",
        "io-open-code": f"__import__('io').open_code({secret!r}).read()",
        "by-folder": f"os.open('secret', os.O_RDONLY, dir_fd=os.open({str(attacked.folder)!r}, os.O_PATH))",
        "c-open": f"call('open', {secret.encode()!r}, 0)",
        "c-openat": f"call('openat', -100, {secret.encode()!r}, 0)",
        "c-fopen": f"call('fopen', {secret.encode()!r}, b'r') or checked(-1, 'fopen')",
        "openat2": f"syscall('openat2', -100, {secret.encode()!r}, (ctypes.c_uint64 * 3)(), 24)",
        "path-only": f"open('/proc/self/fd/%d' % os.open({secret!r}, os.O_PATH)).read()",
        "up-from-python": "open(os.path.dirname(os.__file__) + '/..' * 20 + '/etc/passwd').read()",
        "through-a-link": f"open({str(attacked.folder / 'link')!r}).read()",
        "through-root": f"open('/proc/self/root' + {secret!r}).read()",
        "mapped": f"mmap.mmap(os.open({secret!r}, 0), 7, prot=1)",
        "pyproject": f"open({str(CHECKOUT / 'pyproject.toml')!r}).read()",
        "list-root": "os.listdir('/')",
        "list-proc": "os.listdir('/proc')",
        "list-tmp": "os.listdir('/tmp')",
        "list-home": "os.listdir('/home')",
        "list-folder": f"os.listdir({str(attacked.folder)!r})",
        "list-checkout": f"os.listdir({str(CHECKOUT)!r})",
        "watch": "syscall('inotify_add_watch', syscall('inotify_init1', 0), b'/etc', 0xfff)",
        "own-environment": "open('/proc/self/environ').read()",
        "own-memory": "open('/proc/self/mem').read(0)",
        "own-maps": "open('/proc/self/maps').read()",
        "own-descriptors": "os.listdir('/proc/self/fd')",
        "own-mounts": "open('/proc/self/mountinfo').read()",
        "random-seed-of-boot": "open('/proc/sys/kernel/random/boot_id').read()",
        "other-environment": f"open('/proc/{os.getpid()}/environ').read()",
        "other-command-line": f"open('/proc/{os.getpid()}/cmdline').read()",
        "other-memory": f"open('/proc/{os.getpid()}/mem').read(0)",
        "network-tables": "open('/proc/net/tcp').read()",
        "system": "os.listdir('/sys')",
    }


SERVER = {
    "environment": "open(f'/proc/{os.getppid()}/environ').read()",
    "memory": "open(f'/proc/{os.getppid()}/mem', 'r+b')",
    "maps": "open(f'/proc/{os.getppid()}/maps').read()",
    "descriptors": "os.listdir(f'/proc/{os.getppid()}/fd')",
    "listener": "os.open(f'/proc/{os.getppid()}/fd/3', os.O_RDONLY)",
}


def writing(attacked: Attacked) -> dict[str, str]:
    things, secret = str(attacked.folder / "things"), str(attacked.secret)
    return {
        "create": f"open({things + '/new'!r}, 'w')",
        "append": f"open({secret!r}, 'a')",
        "c-creat": f"call('creat', {things.encode() + b'/creat'!r}, 0o600)",
        "unnamed": f"os.open({things!r}, os.O_TMPFILE | os.O_RDWR)",
        "fifo": f"os.mkfifo({things + '/fifo'!r})",
        "mkdir": f"os.mkdir({things + '/made'!r})",
        "rmdir": f"os.rmdir({things + '/empty'!r})",
        "hard-link": f"os.link({secret!r}, {things + '/linked'!r})",
        "symbolic-link": f"os.symlink('/etc/passwd', {things + '/soft'!r})",
        "rename": f"os.rename({things + '/old'!r}, {things + '/renamed'!r})",
        "unlink": f"os.unlink({things + '/gone'!r})",
        "truncate": f"os.truncate({things + '/kept'!r}, 0)",
        "chmod": f"os.chmod({things + '/kept'!r}, 0o666)",
        "chown": f"os.chown({things + '/kept'!r}, os.getuid(), os.getgid())",
        "utime": f"os.utime({things + '/kept'!r})",
        "listxattr": f"os.listxattr({things + '/kept'!r})",
        "memfd": "os.memfd_create('attack')",
        "own-name": "open('/proc/self/comm', 'w').write('attack')",
        "own-oom-score": "open('/proc/self/oom_score_adj', 'w').write('1000')",
        "sync": "call('sync') and None",
        "chdir": "os.chdir('/tmp')",
        "umask": "os.umask(0o77)",
    }


def lasting(attacked: Attacked) -> dict[str, str]:
    """Attempts that would leave something on the machine, or that not everybody may make outside."""
    secret = str(attacked.secret)
    return {
        "package": f"open({qtasks.__file__!r}, 'r+')",
        "package-mode": f"os.chmod({qtasks.__file__!r}, {Path(qtasks.__file__).stat().st_mode & 0o777})",
        "tmp": "open('/tmp/qtasks-attack', 'w')",
        "shared-memory": "open('/dev/shm/qtasks-attack', 'w')",
        "shm-open": "__import__('_posixshmem').shm_open('/qtasks-attack', os.O_CREAT | os.O_RDWR, mode=0o600)",
        "memfd-secret": "syscall('memfd_secret', 0)",
        "setxattr": f"os.setxattr({secret!r}, 'user.attack', b'x')",
        "removexattr": f"os.removexattr({secret!r}, 'user.attack')",
        "unlink-socket": f"os.unlink({str(attacked.folder / 'socket')!r})",
        "device": f"os.mknod({str(attacked.folder / 'device')!r}, 0o20600, os.makedev(1, 1))",
        "semaphore": "libc.semget(0, 1, 0o600) + 1 or checked(-1, 'semget')",
        "queue": "libc.msgget(0, 0o600) + 1 or checked(-1, 'msgget')",
        "segment": "libc.shmget(0, 4096, 0o600) + 1 or checked(-1, 'shmget')",
        "mount": "call('mount', b'none', b'/mnt', b'tmpfs', 0, None)",
    }


@pytest.fixture
def furnished(attacked: Attacked) -> Iterator[Attacked]:
    """The sandbox, with a link to the secret and a folder of things beside it."""
    link, things = attacked.folder / "link", attacked.folder / "things"
    link.symlink_to(attacked.secret)
    things.mkdir()
    (things / "empty").mkdir()
    for name in ("old", "gone", "kept"):
        (things / name).write_text(name)
    for path in (things, *things.iterdir()):
        os.chown(path, attacked.secret.stat().st_uid, -1)
    yield attacked
    link.unlink()
    shutil.rmtree(things)


def test_no_file_can_be_read(furnished: Attacked) -> None:
    assert not_refused(outcomes(furnished, reading(furnished))) == {}


@pytest.mark.parametrize("attacked", [*USERS, POD], indirect=True, ids=str)
@pytest.mark.system
def test_nothing_of_the_warm_process_can_be_read(attacked: Attacked) -> None:
    assert not_refused(outcomes(attacked, SERVER)) == {}


def picture(folder: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """Every name below a folder, with its mode, owner, time of change and content."""
    found = {}
    for path in folder.rglob("*"):
        about = path.lstat()
        content = path.read_bytes() if path.is_file() and path.name != "log" else b""
        found[str(path)] = (about.st_mode, about.st_uid, about.st_ctime_ns, content)
    return found


def test_nothing_can_be_written(furnished: Attacked) -> None:
    before = picture(furnished.folder)
    assert not_refused(outcomes(furnished, {**writing(furnished), **lasting(furnished)})) == {}
    assert picture(furnished.folder) == before


@pytest.mark.system
@pytest.mark.parametrize("attacked", [AS_WE_ARE], indirect=True)
def test_outside_the_sandbox_the_same_attempts_succeed(furnished: Attacked) -> None:
    """An attempt that fails by itself would prove nothing."""
    found = outside({**reading(furnished), **writing(furnished)})
    assert {name: came for name, came in found.items() if not came.startswith("got")} == {}


def test_the_packages_can_be_read_and_nothing_beside_the_checkout_s_own(attacked: Attacked) -> None:
    table = {
        "package": f"len(open({qtasks.__file__!r}).read())",
        "import": "__import__('wave').__name__",
        "tests": f"open({__file__!r}).read()",
        "git": f"os.listdir({str(CHECKOUT / '.git')!r})",
    }
    found = outcomes(attacked, table)
    assert found["package"].startswith("got") and found["import"] == "got 'wave'"
    assert set(not_refused(found)) == {"package", "import"}


def test_stat_still_tells_that_a_file_exists_its_size_and_its_times(attacked: Attacked) -> None:
    """Landlock does not limit stat: said in docs/security.md."""
    known = attacked.secret.stat()
    printed = attacked.told(
        f"import os\nfound = os.stat({str(attacked.secret)!r})\n"
        "print(found.st_size, found.st_mtime_ns)\nprint(os.path.exists('/etc/nothing-of-that-name'))"
    )
    assert printed.split() == [str(known.st_size), str(known.st_mtime_ns), "False"]
