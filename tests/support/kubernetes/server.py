"""The server as a test has it: what is in it, who may what, and how it goes away and comes back."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.support.kubernetes.access import ADMIN, Access
from tests.support.kubernetes.answers import Refused
from tests.support.kubernetes.handler import Handler, Server
from tests.support.kubernetes.objects import Object, Objects
from tests.support.kubernetes.resources import CORE, Resource, defined


class ApiServer:
    """Answers on a port of its own, which stays the same when it is started again: what it keeps stays too.

    `broken` makes it answer 503; requests whose path ends with `held` are not answered while it is set. `access` says
    who may what, and has recorded who asked for what.
    """

    bookmark_seconds = 1.0

    def __init__(self, *namespaces: str) -> None:
        self.resources: list[Resource] = list(CORE)
        self.objects = Objects()
        self.access = Access()
        self.broken = False
        self.held = ""
        self.requests: list[tuple[str, str]] = []
        self.admin_token = self._token(ADMIN)
        self._port = 0
        self._server: Server | None = None
        for namespace in namespaces:
            self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})

    # What a test does to it.

    def install(self, definition: Mapping[str, Any]) -> None:
        """Serve the resource of a CustomResourceDefinition."""
        self.resources.append(defined(definition))

    def account(self, namespace: str, name: str) -> str:
        """A token of a service account."""
        return self._token(f"system:serviceaccount:{namespace}:{name}")

    def create(self, document: Mapping[str, Any]) -> Object:
        resource = self._of_kind(document["kind"])
        return self.objects.create(resource, document["metadata"].get("namespace", ""), dict(document))

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        try:
            return self.objects.get(self._of_kind(kind), namespace, name)
        except Refused:
            return None

    def all(self, kind: str, namespace: str = "") -> list[Object]:
        return self.objects.list(self._of_kind(kind), namespace)[0]

    def update(self, kind: str, namespace: str, name: str, **fields: Any) -> Object:
        """Set fields at the top of an object, such as its spec."""
        return self.objects.change(self._of_kind(kind), namespace, name, lambda old: {**old, **fields})

    def delete(self, kind: str, namespace: str, name: str) -> Object:
        return self.objects.delete(self._of_kind(kind), namespace, name)

    def kubeconfig(self, path: Path, token: str) -> Path:
        """Write a kubeconfig for whoever has this token."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "clusters": [{"name": "it", "cluster": {"server": self.url}}],
            "users": [{"name": "it", "user": {"token": token}}],
        }
        path.write_text(yaml.safe_dump(config))
        return path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        handler = type("Handler", (Handler,), {"api": self})
        self._server = Server(("127.0.0.1", self._port), handler)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Close the port and break off every connection."""
        assert self._server is not None
        server, self._server = self._server, None
        server.shutdown()
        server.break_off()
        server.server_close()

    def __enter__(self) -> ApiServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self.stop()

    def _token(self, subject: str) -> str:
        token = secrets.token_hex(16)
        self.access.tokens[token] = subject
        return token

    def _of_kind(self, kind: str) -> Resource:
        return next(resource for resource in self.resources if resource.kind == kind)
