"""A real cluster without nodes: etcd, kube-apiserver with RBAC, and the controllers that collect garbage."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trustme
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.servers import Server, free_port

_ADMIN = "admin-of-the-cluster"
_CONTROLLERS = ("garbagecollector", "namespace", "serviceaccount")


class Etcd(Server):
    def __init__(self, folder: Path, binaries: Path) -> None:
        super().__init__(folder)
        self._binary = binaries / "etcd"
        self.url, self._peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))

    def command(self) -> list[str]:
        options = {
            "name": "one",
            "data-dir": self.folder / "data",
            "listen-client-urls": self.url,
            "advertise-client-urls": self.url,
            "listen-peer-urls": self._peer,
            "initial-advertise-peer-urls": self._peer,
            "initial-cluster": f"one={self._peer}",
        }
        return [str(self._binary), *_flags(options)]

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5) as answer:
                return b"true" in answer.read()
        except OSError:
            return False


class ApiServer(Server):
    """kube-apiserver over an etcd, on a port of loopback, by HTTPS; the audit log has every request."""

    def __init__(self, folder: Path, binaries: Path, etcd: Etcd) -> None:
        super().__init__(folder)
        self._binary, self._etcd = binaries / "kube-apiserver", etcd
        self.port = free_port()
        self.authority = folder / "ca.crt"
        self.audit_log = folder / "audit.log"
        self._write_files()
        self._context = ssl.create_default_context(cafile=str(self.authority))

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def _write_files(self) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.authority))
        certificate = authority.issue_cert("127.0.0.1", "localhost", "kubernetes.default.svc")
        certificate.private_key_and_cert_chain_pem.write_to_path(str(self.folder / "server.pem"))
        key = rsa.generate_private_key(65537, 2048)
        (self.folder / "accounts.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
            )
        )
        (self.folder / "tokens.csv").write_text(f"{_ADMIN},admin,1,system:masters\n")
        policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}
        (self.folder / "audit.yaml").write_text(yaml.safe_dump(policy | {"omitStages": ["RequestReceived"]}))

    def command(self) -> list[str]:
        own = self.folder
        options = {
            "etcd-servers": self._etcd.url,
            "bind-address": "127.0.0.1",
            "secure-port": self.port,
            "insecure-port": 0,
            "tls-cert-file": own / "server.pem",
            "tls-private-key-file": own / "server.pem",
            "authorization-mode": "RBAC",
            "anonymous-auth": "false",
            "token-auth-file": own / "tokens.csv",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": own / "accounts.pem",
            "service-account-signing-key-file": own / "accounts.pem",
            "service-cluster-ip-range": "10.0.0.0/24",
            "audit-policy-file": own / "audit.yaml",
            "audit-log-path": self.audit_log,
            "allow-privileged": "false",
        }
        return [str(self._binary), *_flags(options)]

    def answers(self) -> bool:
        try:
            return self.ask("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def ask(self, method: str, path: str, body: Any = None, *, token: str = _ADMIN) -> tuple[int, Any]:
        """Status and document of a request; as the administrator, unless another's token is given."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30, context=self._context) as answer:
                return answer.status, _document(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _document(error.read())

    def token(self, account: str, *, namespace: str = "qtasks") -> str:
        """A token of a service account, as a pod of it gets one."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 7200}}
        status, found = self.ask("POST", path, body)
        assert status == 201, found
        return str(found["status"]["token"])

    def kubeconfig(self, path: Path, *, token: str = _ADMIN, namespace: str = "default") -> Path:
        """Write a kubeconfig; as the administrator, unless another's token is given."""
        cluster = {"server": self.url, "certificate-authority": str(self.authority)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it", "namespace": namespace}}],
            "clusters": [{"name": "it", "cluster": cluster}],
            "users": [{"name": "it", "user": {"token": token}}],
        }
        path.write_text(yaml.safe_dump(config))
        return path

    def audited(self) -> list[dict[str, Any]]:
        """The audit events of all requests that were answered, the earliest first."""
        return [json.loads(line) for line in self.audit_log.read_text().splitlines()]


class Controllers(Server):
    """kube-controller-manager with the controllers that see to namespaces, their accounts and owned objects."""

    def __init__(self, folder: Path, binaries: Path, api: ApiServer) -> None:
        super().__init__(folder)
        self._binary = binaries / "kube-controller-manager"
        self._kubeconfig = api.kubeconfig(folder / "kubeconfig")
        self._port = free_port()

    def command(self) -> list[str]:
        options = {
            "kubeconfig": self._kubeconfig,
            "authentication-kubeconfig": self._kubeconfig,
            "authorization-kubeconfig": self._kubeconfig,
            "controllers": ",".join(_CONTROLLERS),
            "bind-address": "127.0.0.1",
            "secure-port": self._port,
            "port": 0,
            "leader-elect": "false",
            "cert-dir": self.folder,
        }
        return [str(self._binary), *_flags(options)]

    def answers(self) -> bool:
        """Whether it has begun; what its controllers do is waited for where it is wanted."""
        return 'Started "garbagecollector"' in (self.folder / "server.log").read_text()


@contextmanager
def real_cluster(folder: Path, binaries: Path) -> Iterator[ApiServer]:
    """etcd and kube-apiserver, which end with the block."""
    etcd = Etcd(folder / "etcd", binaries)
    api = ApiServer(folder / "apiserver", binaries, etcd)
    started: list[Server] = []
    try:
        for server in (etcd, api):
            started.append(server)
            server.start()
        yield api
    finally:
        for server in reversed(started):
            server.kill()


def pod_of(api: ApiServer, account: str, folder: Path) -> Callable[[list[str]], list[str]]:
    """What makes a command run as in a pod of this service account: its token and the cluster's authority lie where
    a pod has them, for this command alone. Needs root. The environment is `pod_environment`'s."""
    token = folder / account
    token.mkdir(parents=True, exist_ok=True)
    (token / "token").write_text(api.token(account))
    (token / "ca.crt").write_text(api.authority.read_text())
    (token / "namespace").write_text("qtasks")
    mounted = "/run/secrets/kubernetes.io"
    script = f'mount -t tmpfs none /run && mkdir -p {mounted} && cp -r "$0" {mounted}/serviceaccount && exec "$@"'
    return lambda command: ["unshare", "--mount", "sh", "-c", script, str(token), *command]


def pod_environment(api: ApiServer) -> dict[str, str]:
    return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(api.port)}


def kubectl(binary: Path, config: Path, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """A kubectl command's end; its cache and home lie beside the kubeconfig."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(config.parent), "KUBECONFIG": str(config)}
    return subprocess.run(
        [str(binary), *arguments], input=stdin or "", env=environment, capture_output=True, text=True, timeout=120
    )


def _document(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")


def _flags(options: dict[str, Any]) -> list[str]:
    return [f"--{name}={value}" for name, value in options.items()]
