"""A stand-in for a cluster's API server on a real socket: ConfigMaps, with what Kubernetes checks of them, and
Secrets to read."""

from __future__ import annotations

import base64
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

TOKEN = "token-of-this-worker"
_PATH = re.compile(r"/api/v1/namespaces/([a-z0-9-]+)/(configmaps|secrets)(?:/([a-z0-9.-]+))?")
_MAX_BYTES = 2**20


class KubernetesServer:
    """Answers on a port of its own; `configmaps` has what was written, by (namespace, name), and `requests` the method,
    path and content type of what came. `broken` makes it answer 503, `forbidden` 403; `secrets` may be set."""

    def __init__(self, *namespaces: str) -> None:
        self.namespaces = set(namespaces)
        self.configmaps: dict[tuple[str, str], dict[str, Any]] = {}
        self.secrets: dict[tuple[str, str], dict[str, Any]] = {}
        self.requests: list[tuple[str, str, str]] = []
        self.broken = self.forbidden = False
        self.lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"cluster": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def kubeconfig(self, path: Path) -> Path:
        """Write a kubeconfig for it."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "clusters": [{"name": "it", "cluster": {"server": self.url}}],
            "users": [{"name": "it", "user": {"token": TOKEN}}],
        }
        path.write_text(yaml.safe_dump(config))
        return path

    def __enter__(self) -> KubernetesServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        self.status, self.message = status, message


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cluster: KubernetesServer

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:  # whoever sent it died
            self.close_connection = True
            return
        path = self.path.partition("?")[0]
        self.cluster.requests.append((self.command, path, self.headers.get("Content-Type", "")))
        try:
            with self.cluster.lock:
                status, answer = self._answer(path, body)
        except _Refused as refused:
            status = refused.status
            answer = {"kind": "Status", "status": "Failure", "message": refused.message, "code": status}
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def _answer(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise _Refused(401, "Unauthorized")
        if self.cluster.broken:
            raise _Refused(503, "the server is currently unable to handle the request")
        if self.cluster.forbidden:
            raise _Refused(403, "configmaps is forbidden")
        found = _PATH.fullmatch(path)
        if found is None:
            raise _Refused(404, "the server could not find the requested resource")
        namespace, kind, name = found[1], found[2], found[3]
        if namespace not in self.cluster.namespaces:
            raise _Refused(404, f'namespaces "{namespace}" not found')
        if kind == "secrets":
            if self.command != "GET" or (namespace, name) not in self.cluster.secrets:
                raise _Refused(404, f'secrets "{name}" not found')
            return 200, self.cluster.secrets[namespace, name]
        if self.command == "POST" and name is None:
            return 201, self._create(namespace, json.loads(body))
        known = self.cluster.configmaps.get((namespace, name))
        if known is None:
            raise _Refused(404, f'configmaps "{name}" not found')
        if self.command == "GET":
            return 200, known
        if self.command == "PATCH":
            return 200, self._patch(namespace, name, known, json.loads(body))
        raise _Refused(405, "the server does not allow this method on the requested resource")

    def _create(self, namespace: str, new: dict[str, Any]) -> dict[str, Any]:
        name = new["metadata"]["name"]
        if (namespace, name) in self.cluster.configmaps:
            raise _Refused(409, f'configmaps "{name}" already exists')
        return self._keep(namespace, name, new)

    def _patch(self, namespace: str, name: str, known: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
        if self.headers.get("Content-Type") != "application/merge-patch+json":
            raise _Refused(415, "the body of the request was in an unknown format")
        if known.get("immutable") and any(patch.get(part) for part in ("data", "binaryData")):
            raise _Refused(422, "data: Forbidden: field is immutable when `immutable` is set")
        return self._keep(namespace, name, _merged(known, patch))

    def _keep(self, namespace: str, name: str, new: dict[str, Any]) -> dict[str, Any]:
        text, binary = new.get("data") or {}, new.get("binaryData") or {}
        if set(text) & set(binary):
            raise _Refused(422, "duplicate of key present in data")
        size = sum(len(value.encode()) for value in text.values())
        size += sum(len(base64.b64decode(value, validate=True)) for value in binary.values())
        if size > _MAX_BYTES:
            raise _Refused(422, f'ConfigMap "{name}" is invalid: []: Too long: must have at most {_MAX_BYTES} bytes')
        for value in (new["metadata"].get("annotations") or {}).values():
            assert isinstance(value, str), "annotations are texts"
        self.cluster.configmaps[namespace, name] = new
        return new

    def log_message(self, *_: Any) -> None: ...


def _merged(known: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    found = dict(known) if isinstance(known, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = _merged(found.get(key), value)
    return found
