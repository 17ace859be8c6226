"""The worker's side of a fetch: a request, a process that lives as long as it, and its answer."""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from qtasks import cluster
from qtasks.circuits.sources.messages import Fetched, Request, decode_answer, encode_request
from qtasks.errors import Unavailable
from qtasks.secrets import read_secret

if TYPE_CHECKING:
    from qtasks.resources import Circuit
    from qtasks.settings import Settings

# No proxy variables: a proxy would look names up itself, and connect to what was never checked.
_PASSED = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO")
_PASSED_FOR_CLUSTER = ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")
_HEAD_BYTES = 65536


def fetch(circuit: Circuit, *, namespace: str, settings: Settings, timeout_seconds: float) -> Fetched:
    """Fetches the circuit of a source that is not inline, within `timeout_seconds` and `settings.max_input_bytes`.

    May be called from several threads. Raises Unavailable (`SourceUnreachable`, `SourceTimeout`, …) for what may heal;
    NotFound, InvalidInput or Forbidden, saying which part was wrong, for what does not.
    """
    request = _request(circuit, namespace, settings, timeout_seconds)
    with tempfile.TemporaryDirectory(prefix="qtasks-fetch-", ignore_cleanup_errors=True) as home:
        answer = _run(request, _environment(request, home), home, timeout_seconds)
    try:
        return decode_answer(answer)
    except (ValueError, KeyError, TypeError):
        raise Unavailable(
            f"The process that fetches {request.shown} ended without an answer.", reason="SourceFailed"
        ) from None


def _request(circuit: Circuit, namespace: str, settings: Settings, seconds: float) -> Request:
    made = partial(
        Request,
        seconds=seconds,
        max_bytes=settings.max_input_bytes,
        hosts=settings.source_hosts,
        http=settings.source_http,
    )
    if ref := circuit.config_map_ref:
        target = {"namespace": namespace, "name": ref.name, "key": ref.key, "folder": _configmaps(settings)}
        return made("configmap", target, f"ConfigMap {namespace}/{ref.name}")
    if git := circuit.git_ref:
        target = {"repository": git.repository, "path": git.path, "branch": git.branch or ""}
        target["commit"] = (git.commit or "").lower()
        if git.secret_ref is None:
            return made("git", target, git.repository)
        secret = read_secret(settings, namespace=namespace, name=git.secret_ref.name)
        return made("git", target, git.repository, secret_name=secret.name, secret=dict(secret.values))
    if circuit.url is None:
        raise ValueError(f"a circuit of source {circuit.source} is not fetched")
    target = {"url": circuit.url, "sha256": (circuit.sha256 or "").lower()}
    return made("url", target, re.split(r"[?#]", circuit.url, maxsplit=1)[0])


def _configmaps(settings: Settings) -> str:
    """The folder that stands for the cluster; empty where there is a cluster, and no folder was set."""
    if settings.configmaps_dir is None and cluster.is_there():
        return ""
    return str(settings.configmaps.absolute())


def _environment(request: Request, home: str) -> dict[str, str]:
    names: tuple[str, ...] = _PASSED
    made = {"HOME": home, "TMPDIR": home, "LC_ALL": "C", "PATH": os.defpath}
    if request.source == "configmap" and not request.target["folder"]:
        names += _PASSED_FOR_CLUSTER
        made |= {"KUBECONFIG": path} if (path := cluster.kubeconfig()) else {}
    return made | {name: os.environ[name] for name in names if name in os.environ}


def _run(request: Request, environment: dict[str, str], home: str, seconds: float) -> bytes:
    """The process's answer. Ends it with all that it started, whatever happens. Raises Unavailable."""
    deadline = time.monotonic() + seconds
    main = Path(__file__).with_name("__main__.py")
    with tempfile.TemporaryFile() as request_file:  # a pipe could fill up, and leave both waiting
        request_file.write(encode_request(request))
        request_file.seek(0)
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-X", "utf8", str(main), f"--parent={os.getpid()}"],
                stdin=request_file,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                cwd=home,
                start_new_session=True,
            )
        except OSError as error:
            raise Unavailable(f"A fetch cannot be started: {error.strerror}.", reason="SourceFailed") from None
    assert process.stdout is not None
    with process.stdout as pipe:
        try:
            return _read(pipe, deadline, request)
        finally:
            # Before it is waited for: until then its number is not given to another process.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _read(pipe: IO[bytes], deadline: float, request: Request) -> bytes:
    read = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while selector.select(max(deadline - time.monotonic(), 0)):
            part = os.read(pipe.fileno(), 2**18)
            read += part
            if not part or len(read) > request.max_bytes + _HEAD_BYTES:
                return bytes(read)
    raise Unavailable(
        f"{request.shown} was not fetched within {request.seconds:g} s.",
        reason="SourceTimeout",
        hint="It is tried again; should it stay so, look whether the address answers.",
    )
