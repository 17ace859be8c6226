"""What the server answers to one request: discovery, objects, streams of watches."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.kubernetes.access import Asked
from tests.support.kubernetes.answers import Refused
from tests.support.kubernetes.objects import Change
from tests.support.kubernetes.patches import patched
from tests.support.kubernetes.requests import Request, request_of

if TYPE_CHECKING:
    from tests.support.kubernetes.server import ApiServer


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *arguments: Any) -> None:
        self.stopping = False
        self._open: set[socket.socket] = set()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def break_off(self) -> None:
        self.stopping = True
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients go away in the middle: that is what tests are for."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: ApiServer
    server: Server

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:  # whoever sent it died
            self.close_connection = True
            return
        address = urlsplit(self.path)
        query = dict(parse_qsl(address.query))
        self.api.requests.append((self.command, address.path))
        while self.api.held and address.path.endswith(self.api.held) and not self.server.stopping:
            time.sleep(0.02)
        try:
            if self.api.broken:
                raise Refused(503, "the server is currently unable to handle the request")
            subject = self.api.access.subject(self.headers.get("Authorization"))
            document = self._discovery(address.path) if self.command == "GET" else None
            if document is not None:
                self._send(200, document)
                return
            request = request_of(self.command, address.path, query, self.api.resources)
            named, namespace = request.named, request.namespace
            self.api.access.require(Asked(subject, request.verb, request.resource.group, named, namespace))
            if request.verb == "watch":
                self._watch(request, query)
            else:
                self._send(*self._answer(request, body, query))
        except Refused as refused:
            self._send(refused.code, refused.status)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def _discovery(self, path: str) -> dict[str, Any] | None:
        groups = sorted({(one.group, one.version) for one in self.api.resources if one.group})
        match [part for part in path.split("/") if part]:
            case ["version"]:
                return {"major": "1", "minor": "37", "gitVersion": "v1.37.0"}
            case ["api"]:
                return {"kind": "APIVersions", "versions": ["v1"]}
            case ["apis"]:
                return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(*each) for each in groups]}
            case ["api", "v1"]:
                return self._listed("", "v1")
            case ["apis", group, version] if (group, version) in groups:
                return self._listed(group, version)
        return None

    def _listed(self, group: str, version: str) -> dict[str, Any]:
        entries = [entry for one in self.api.resources if one.group == group for entry in one.described()]
        name = f"{group}/{version}" if group else version
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": entries}

    def _answer(self, request: Request, body: bytes, query: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        objects, resource, where, name = self.api.objects, request.resource, request.namespace, request.name
        match request.verb:
            case "get":
                return 200, objects.get(resource, where, name)
            case "list":
                found, version = objects.list(resource, where)
                head = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version}
                return 200, {**head, "metadata": {"resourceVersion": str(version)}, "items": found}
            case "create":
                return 201, objects.create(resource, where, json.loads(body))
            case "delete":
                return 200, objects.delete(resource, where, name)
            case "update":
                new = json.loads(body)
                return 200, objects.change(resource, where, name, lambda _: new, status=bool(request.subresource))
        patch, kind = json.loads(body), self.headers.get("Content-Type", "")
        made = lambda old: patched(old, patch, kind)  # noqa: E731
        return 200, objects.change(resource, where, name, made, status=bool(request.subresource))

    def _watch(self, request: Request, query: Mapping[str, str]) -> None:
        objects = self.api.objects
        version = int(query.get("resourceVersion") or objects.version)
        ends = time.monotonic() + float(query.get("timeoutSeconds") or 3600)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while time.monotonic() < ends and not self.server.stopping:
            with objects.changed:
                try:
                    fresh = objects.since(version)
                    if not fresh:
                        objects.changed.wait(self.api.bookmark_seconds)
                        fresh = objects.since(version)
                except Refused as gone:
                    self._chunk({"type": "ERROR", "object": gone.status})
                    break
                version = fresh[-1].version if fresh else version
            for change in fresh:
                if _concerns(change, request):
                    self._chunk({"type": change.type, "object": change.object})
            if not fresh and query.get("allowWatchBookmarks") == "true":
                metadata = {"resourceVersion": str(version)}
                head = {"kind": request.resource.kind, "apiVersion": request.resource.api_version}
                self._chunk({"type": "BOOKMARK", "object": {**head, "metadata": metadata}})
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, document: Mapping[str, Any]) -> None:
        data = json.dumps(document).encode() + b"\n"
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _send(self, status: int, document: Mapping[str, Any]) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None: ...


def _group(name: str, version: str) -> dict[str, Any]:
    found = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [found], "preferredVersion": found}


def _concerns(change: Change, request: Request) -> bool:
    resource = request.resource
    return (change.resource.group, change.resource.plural) == (resource.group, resource.plural) and (
        request.namespace in ("", change.object["metadata"].get("namespace", ""))
    )
