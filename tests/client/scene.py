"""One installation and both ways to it: its database and broker, and its API; with jobs of every fate."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic import SecretStr

from qtasks.access import Role
from qtasks.client import Client, Job
from qtasks.resources import QiskitBudget, QiskitSession
from tests.support import insides
from tests.support.circuits import BELL_QASM, bell
from tests.support.servers import eventually, free_port
from tests.support.stack import Stack

WAYS = ("direct", "rest")
CONFIG = """
accounts:
  - {name: shared, provider: ibm_quantum, plan: premium, namespaces: [lab, direct, rest]}
tenants:
  - {namespace: small, waiting: 0}
"""
SEEDED = {"shots": 200, "seed_simulator": 7}
BUDGET = QiskitBudget(metadata={"name": "research"}, spec={"limit": "$100.00", "period": "total"})
SESSION = QiskitSession(metadata={"name": "run"}, spec={"backend": {"type": "aws_braket"}})
# No worker has so much memory: it waits for ever.
TOO_LARGE = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[40];\ncreg c[40];\nh q;\nt q;\nmeasure q -> c;\n'
BROKEN = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[1];\nnothing q[0];\n'


@dataclass
class Scene:
    """Principals: root, alice (admin of lab, direct and rest; submits to small), victor (sees lab)."""

    stack: Stack
    url: str = ""
    tokens: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    """Alice's in lab, by name: bell is Completed, bad Failed, gone Cancelled, broken's result is not what was written,
    large waits."""
    _clients: dict[tuple[str, ...], Client] = field(default_factory=dict)

    def client(self, way: str, who: str | None = "alice", namespace: str = "lab", **settings: Any) -> Client:
        key = (way, str(who), namespace, repr(settings))
        if key not in self._clients:
            token = None if who is None else SecretStr(self.tokens.get(who, who))
            where = {"api_url": self.url} if way == "rest" else {}
            values = {"api_token": token, **where, **settings}
            self._clients[key] = Client(self.stack.settings.model_copy(update=values), namespace=namespace)
        return self._clients[key]

    def serve(self) -> None:
        """Start the API."""
        port = free_port()
        process = self.stack.run("api", "--port", str(port))
        self.url = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            assert process.popen.poll() is None, process.text[-3000:]
            try:
                return httpx.get(f"{self.url}/readyz").status_code == 200
            except httpx.TransportError:
                return False

        eventually(answers, seconds=60, what="the API answering")

    def fill(self) -> None:
        """Make principals and jobs."""
        first = self.stack.client().principals.create("root")
        assert first.token is not None
        self.tokens["root"] = first.token
        root = self.client("direct", "root").principals
        roles = {
            "alice": [("lab", Role.ADMIN), ("direct", Role.ADMIN), ("rest", Role.ADMIN), ("small", Role.SUBMITTER)]
        }
        for name, bound in {**roles, "victor": [("lab", Role.VIEWER)]}.items():
            root.create(name)
            for namespace, role in bound:
                root.bind(name, role, namespace)
            self.tokens[name] = root.token(name)[0]
        alice = self.client("direct")
        alice.apply_budget(BUDGET)
        alice.apply_session(SESSION)
        circuits = {"bell": bell(), "bad": BROKEN, "gone": TOO_LARGE, "broken": BELL_QASM, "large": TOO_LARGE}
        for name, circuit in circuits.items():
            options = {"method": "statevector"} if circuit is TOO_LARGE else SEEDED
            self.jobs[name] = alice.submit(circuit, name=name, labels={"kind": name}, **options)
        self.jobs["gone"].cancel()
        alice.wait([self.jobs[name] for name in ("bell", "bad", "gone", "broken")], timeout=60)
        spoil(self.jobs["broken"])
        eventually(self._large_waits, what="a job that no worker can hold being put back")

    def _large_waits(self) -> bool:
        return "ResourceConstraints" in self.jobs["large"].logs()

    def close(self) -> None:
        for client in self._clients.values():
            client.close()


def spoil(job: Job) -> None:
    """Change a byte of the job's stored result."""
    row, store = insides.row(job), insides.objects(job._client)
    data = bytearray(store.get(row.result_key))
    data[row.result_offset or 0] ^= 1
    store.put(row.result_key, bytes(data))
