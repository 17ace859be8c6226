"""Webhooks of jobs: told of the end, whatever it is, by the reconciler of a running stack."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import trustme

from qtasks import Job
from tests.sources.web_server import Asked, WebServer
from tests.support.circuits import BELL_QASM, heavy
from tests.support.servers import Postgres, Redis, eventually
from tests.support.stack import Stack, shared_stack

pytestmark = pytest.mark.system

KEY = b"k" * 24


@dataclass
class Receiver:
    """A webhook that answers with `statuses` in turn, then 204, and keeps what it was told."""

    server: WebServer | None = None
    statuses: list[int] = field(default_factory=list)
    told: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def answer(self, asked: Asked) -> None:
        self.told.append((dict(asked.headers), asked.body()))
        asked.reply(status=self.statuses.pop(0) if self.statuses else 204)

    @property
    def url(self) -> str:
        assert self.server is not None
        return self.server.url("/T0/hunter2?token=hunter3")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def receiver(authority: trustme.CA) -> Iterator[Receiver]:
    found = Receiver()
    with WebServer(found.answer, authority) as found.server:
        yield found


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, redis_server: Redis, authority: trustme.CA
) -> Iterator[Stack]:
    """A stack that trusts the receivers' authority."""
    folder = tmp_path_factory.mktemp("notices")
    secret = folder / "secrets" / "default" / "hooks"
    secret.mkdir(parents=True)
    (secret / "key").write_text("whsec_" + base64.b64encode(KEY).decode())
    config = folder / "config.yaml"
    config.write_text(json.dumps({"alerts": {"webhooks": {"signingSecret": "hooks"}}}))
    values = {"config": config, "secrets_dir": folder / "secrets", "source_hosts": "localhost"}
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(folder / "authority.pem"))
        with shared_stack(folder, postgres, redis_server, 4, reconcile_seconds=0.5, **values) as made:
            made.control()
            yield made


def submitted(stack: Stack, url: str, code: str = BELL_QASM, **spec: Any) -> Job:
    circuit = {"source": "inline", "code": code}
    return stack.client().submit(
        {"apiVersion": "quantum.io/v1", "kind": "QiskitJob", "spec": {"circuit": circuit, "webhook": url, **spec}}
    )


def reasons(job: Job) -> list[str]:
    return [line.split()[2].rstrip(":") for line in job.logs().splitlines()]


def test_a_webhook_is_told_once_and_signed_when_its_job_has_ended(stack: Stack, receiver: Receiver) -> None:
    receiver.statuses = [503]
    done = submitted(stack, receiver.url)
    done.wait_for_final_state(60)
    eventually(lambda: "WebhookRetrying" in reasons(done), what="a webhook that does not answer being noted")
    broken = submitted(stack, receiver.url, "OPENQASM 2.0; qreg q[")
    broken.wait_for_final_state(60)
    eventually(lambda: "WebhookTold" in reasons(broken), what="a failed job's webhook being told")
    headers, body = receiver.told[-1]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    said = json.loads(body)
    assert (
        (said["type"], said["data"]["id"]) == ("job.failed", headers["webhook-id"]) == ("job.failed", broken.job_id())
    )
    assert said["data"]["reason"] and said["data"]["phase"] == "Failed"
    assert len(receiver.told) == 2 and "hunter" not in done.logs() + broken.logs()


def test_a_webhook_that_refuses_is_given_up_and_a_cancelled_job_s_is_told(stack: Stack, receiver: Receiver) -> None:
    receiver.statuses = [410]
    refused = submitted(stack, receiver.url)
    refused.wait_for_final_state(60)
    eventually(lambda: "WebhookNotTold" in reasons(refused), what="a refused notice being given up")
    assert "localhost does not take the notice: HTTP 410." in refused.logs()
    heavy_one = stack.client().submit(heavy(22, 600), shots=10)
    waiting = submitted(stack, receiver.url)
    assert waiting.cancel() and heavy_one.cancel()
    eventually(lambda: len(receiver.told) == 2, what="the webhook being told of the cancellation")
    assert json.loads(receiver.told[1][1])["type"] == "job.cancelled"
