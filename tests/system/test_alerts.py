"""Alerts on their way: to a real mail server and to a real webhook, over TLS, with what goes wrong there."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from sqlalchemy import select, update

from qtasks.settings import Settings
from qtasks.stages.alerts import see_to_alerts
from qtasks.stages.worker import Identity, Worker
from qtasks.store import Store, alerts, deliveries, schema, tables
from tests.sources.web_server import Asked, WebServer
from tests.store.charging import Charging, budget, charge
from tests.support.servers import eventually
from tests.support.smtp_server import DRIP, DROP, HANG, Received, SmtpServer

pytestmark = pytest.mark.system

PASSWORD = "correct horse battery"
KEY = "whsec_" + base64.b64encode(b"k" * 24).decode()
MAIL = {"notificationEmail": "team@example.org"}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@dataclass
class World:
    """A worker with a database, secrets, and the QTASKS_CONFIG that a test gives it."""

    folder: Path
    url: str
    settings: dict[str, Any] = field(default_factory=dict)
    _open: list[Worker] = field(default_factory=list)

    def configure(self, smtp: SmtpServer | None = None, *, signed: bool = False, **more: Any) -> None:
        found: dict[str, Any] = {}
        if smtp is not None:
            found["smtp"] = {"host": "localhost", "port": smtp.port, "from": "qtasks@example.org", **more}
        if signed:
            found["webhooks"] = {"signingSecret": "alerts"}
        (self.folder / "config.yaml").write_text(json.dumps({"alerts": found}))

    def secret(self, name: str, **values: str) -> None:
        place = self.folder / "secrets" / "default" / name
        place.mkdir(parents=True, exist_ok=True)
        for key, value in values.items():
            (place / key).write_text(value + "\n")

    @property
    def values(self) -> Settings:
        own: dict[str, Any] = {"home": self.folder / "home", "database_url": self.url}
        own |= {"broker_url": "redis://127.0.0.1:1/0", "secrets_dir": self.folder / "secrets"}
        return Settings(**own, config=self.folder / "config.yaml", **self.settings)

    def worker(self) -> Worker:
        worker = Worker.open(self.values, Identity("w", (), 2**30, 1, self.folder))
        self._open.append(worker)
        return worker

    @property
    def charging(self) -> Charging:
        return Charging(self.worker().store)

    def reached(self, name: str = "team", **spec: Any) -> None:
        """A budget of $10 whose threshold of 80 % is reached."""
        charging = self.charging
        charging.apply(budget(name, limit="$10", alertThresholds=[80], **spec))
        charging.reserve(charge(charging.job(), 8.5))

    def send(self) -> int:
        """What the reconciler does."""
        return see_to_alerts(self.worker())

    def later(self, **age: float) -> None:
        """Let alerts be so much older, and what is due be due now."""
        with self.worker().store.begin() as tx:
            for table, column in ((tables.alerts, "at"), (tables.alert_deliveries, "due_at")):
                for row in tx.execute(select(table)).all():
                    mine = [key == getattr(row, key.name) for key in table.primary_key]
                    tx.execute(update(table).where(*mine).values({column: getattr(row, column) - timedelta(**age)}))

    def deliveries(self) -> list[tuple[str, str, str | None]]:
        """Channel, state and problem of what was or is to be sent."""
        table = tables.alert_deliveries
        with self.worker().store.read() as tx:
            rows = tx.execute(select(table).order_by(table.c.channel, table.c.alert_id))
            return [(row.channel, row.state, row.problem) for row in rows]

    def close(self) -> None:
        for worker in self._open:
            worker.close()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificates = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(certificates))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)


def _migrate(url: str) -> None:
    store = Store(url, pool_size=1)
    schema.upgrade(store)
    store.close()


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "qtasks.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def make_world(tmp_path: Path, trusted: None) -> Iterator[Callable[[str], World]]:
    made: list[World] = []

    def make(url: str) -> World:
        made.append(World(tmp_path, url))
        return made[-1]

    yield make
    for world in made:
        world.close()


@pytest.fixture
def world(make_world: Callable[[str], World], migrated: Path, tmp_path: Path) -> World:
    shutil.copy(migrated, tmp_path / "qtasks.db")
    return make_world(f"sqlite:///{tmp_path / 'qtasks.db'}")


@pytest.fixture
def smtp(authority: trustme.CA) -> Iterator[SmtpServer]:
    with SmtpServer(authority) as server:
        yield server


def test_an_alert_comes_once_by_mail_over_tls_with_a_login(world: World, smtp: SmtpServer) -> None:
    smtp.users["qtasks"] = PASSWORD
    world.secret("mail", username="qtasks", password=PASSWORD)
    world.configure(smtp, credentials={"secretRef": {"name": "mail"}})
    world.reached(timeZone="Europe/Berlin", **MAIL)
    assert world.send() == 1 and world.send() == 0
    (received,) = smtp.received
    assert (received.user, received.encrypted, received.sender) == ("qtasks", True, "qtasks@example.org")
    assert received.recipients == ["team@example.org"] == [received.message["To"]]
    said = received.message.get_content()
    assert "Reserved:  $8.50, for jobs under way" in said and "Europe/Berlin" in said
    assert world.deliveries() == [("email", "sent", None)]
    assert smtp.verbs[:2] == ["EHLO", "STARTTLS"] and smtp.verbs[-1] == "QUIT"


def test_tls_from_the_first_byte_and_a_server_without_any(world: World, authority: trustme.CA) -> None:
    world.reached("first", **MAIL)
    with SmtpServer(authority, implicit_tls=True) as tls:
        world.configure(tls, security="tls")
        assert world.send() == 1 and tls.received[0].encrypted
    world.reached("second", **MAIL)
    with SmtpServer() as plain:
        world.configure(plain, security="none")
        assert world.send() == 1 and not plain.received[0].encrypted


def test_no_password_and_no_mail_goes_to_a_server_that_is_not_who_it_should_be(
    world: World, authority: trustme.CA, caplog: pytest.LogCaptureFixture
) -> None:
    world.secret("mail", username="qtasks", password=PASSWORD)
    credentials = {"secretRef": {"name": "mail"}}
    world.reached(**MAIL)
    for server, said in (
        (SmtpServer(trustme.CA(), users={"qtasks": PASSWORD}), "its certificate is not trusted"),
        (SmtpServer(authority, starttls=False, users={"qtasks": PASSWORD}), "does not offer"),
        (SmtpServer(authority, users={"qtasks": "another"}), "does not take the user and password (SMTP 535)"),
    ):
        with server:
            world.configure(server, credentials=credentials)
            assert world.send() == 0 and server.received == []
            ((_, state, problem),) = world.deliveries()
            assert state == "due" and problem is not None and said in problem
        world.later(hours=1)
    assert "is tried again" in caplog.text and PASSWORD not in caplog.text


def test_what_may_heal_is_tried_again_with_the_same_message_id(world: World, smtp: SmtpServer) -> None:
    world.configure(smtp)
    world.reached(**MAIL)
    for verb, fault in (("RCPT", "451 4.7.1 grey, come again"), ("END", "452 full"), ("DATA", DROP), ("END", DROP)):
        smtp.faults = {verb: fault}
        assert world.send() == 0 and world.send() == 0  # the second time it is not due
        world.later(hours=1)
    assert [state for _, state, _ in world.deliveries()] == ["due"]
    smtp.faults = {"QUIT": DROP}
    assert world.send() == 1 and world.send() == 0
    # The one whose answer was lost, and the one that was sent because of that.
    first, second = smtp.received
    assert _same(first, second)


def test_what_does_not_heal_is_given_up_and_everything_after_a_day(
    world: World, smtp: SmtpServer, caplog: pytest.LogCaptureFixture
) -> None:
    world.configure(smtp)
    smtp.faults = {"RCPT": "550 5.1.1 no such user\x1b[31m here"}
    world.reached(**MAIL)
    assert world.send() == 0
    refused = "The mail server refuses the alert: 550 5.1.1 no such user [31m here"
    assert world.deliveries() == [("email", "given_up", refused)]
    smtp.faults = {"GREETING": "421 busy"}
    world.reached("other", **MAIL)
    assert world.send() == 0
    world.later(hours=25)
    assert world.send() == 0
    assert [state for _, state, _ in world.deliveries()] == ["given_up", "given_up"]
    assert caplog.text.count("is given up") == 2 and smtp.received == []
    with world.worker().store.read() as tx:
        assert alerts.counts(tx).deliveries == {("email", "given_up"): 2}


def test_without_a_mail_server_alerts_wait_for_one(world: World, smtp: SmtpServer) -> None:
    world.configure()
    world.reached(**MAIL)
    assert world.send() == 0
    assert world.deliveries() == [("email", "due", "No mail server is configured.")]
    world.configure(smtp)
    world.later(minutes=1)
    assert world.send() == 1


def test_a_mail_server_that_never_answers_costs_seconds_and_nobody_elses_alert(
    world: World, smtp: SmtpServer, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qtasks.stages.alerts._SENDING_SECONDS", 0.5)
    world.configure(smtp)
    world.reached(**MAIL)
    for verb, fault in (("GREETING", HANG), ("EHLO", DRIP), ("END", HANG)):
        smtp.faults = {verb: fault}
        begun = time.monotonic()
        assert world.send() == 0
        assert time.monotonic() - begun < 3
        world.later(hours=1)
    assert [state for _, state, _ in world.deliveries()] == ["due"]


def test_two_reconcilers_send_each_alert_once(
    make_world: Callable[[str], World], postgres_url: str, smtp: SmtpServer
) -> None:
    _migrate(postgres_url)
    world = make_world(postgres_url)
    world.configure(smtp)
    names = [f"b{number}" for number in range(6)]
    charging = world.charging
    for name in names:
        charging.apply(budget(name, limit="$10", alertThresholds=[80, 85], **MAIL))
    charging.reserve(charge(charging.job(), 8.5))
    workers = [world.worker() for _ in range(3)]
    together = threading.Barrier(3)
    number: list[int] = []

    def look(worker: Worker) -> None:
        together.wait()
        number.append(see_to_alerts(worker) + see_to_alerts(worker))

    threads = [threading.Thread(target=look, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(number) == 12 == len({received.message["Message-ID"] for received in smtp.received})
    assert len(smtp.received) == 12


_RECONCILER = """
import sys
from pathlib import Path
from qtasks.settings import Settings
from qtasks.stages.alerts import see_to_alerts
from qtasks.stages.worker import Identity, Worker
see_to_alerts(Worker.open(Settings(), Identity("w", (), 2**30, 1, Path(sys.argv[1]))))
"""


def test_a_process_killed_between_sending_and_noting_leaves_it_to_the_next_one(
    world: World, smtp: SmtpServer, tmp_path: Path
) -> None:
    world.configure(smtp)
    world.reached(**MAIL)
    smtp.faults = {"END": HANG}
    environment = {**os.environ, **world.values.environment()}
    process = subprocess.Popen([sys.executable, "-c", _RECONCILER, str(tmp_path)], env=environment)
    try:
        eventually(lambda: smtp.received, what="a mail")
    finally:
        process.kill()
        process.wait()
    smtp.faults = {}
    assert world.send() == 0
    world.later(minutes=3)
    assert world.send() == 1
    first, second = smtp.received
    assert _same(first, second)


def _same(first: Received, second: Received) -> bool:
    return first.message["Message-ID"] == second.message["Message-ID"]


def webhook(server: WebServer) -> dict[str, str]:
    return {"webhook": server.url("/T0/hunter2?token=hunter3")}


@pytest.fixture
def bodies() -> list[bytes]:
    return []


@pytest.fixture
def receiver(authority: trustme.CA, bodies: list[bytes]) -> Iterator[WebServer]:
    def take(asked: Asked) -> None:
        bodies.append(asked.body())
        asked.reply(status=204)

    with WebServer(take, authority) as server:
        yield server


def test_a_webhook_is_posted_and_signed_so_that_its_receiver_can_tell(
    world: World, receiver: WebServer, bodies: list[bytes]
) -> None:
    world.settings = {"source_hosts": "localhost"}
    world.secret("alerts", key=KEY)
    world.configure(signed=True)
    world.reached(**webhook(receiver))
    assert world.send() == 1 and world.send() == 0
    ((path, headers),), (body,) = receiver.requests, bodies
    assert path == "/T0/hunter2?token=hunter3" and headers["Host"] == f"localhost:{receiver.port}"
    assert headers["Content-Type"] == "application/json"
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(b"k" * 24, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    said = json.loads(body)
    assert (said["type"], said["data"]["id"], said["data"]["percent"]) == (
        "budget.threshold",
        headers["webhook-id"],
        85,
    )


def test_a_webhook_without_its_key_waits_and_one_without_any_goes_unsigned(
    world: World, receiver: WebServer, caplog: pytest.LogCaptureFixture
) -> None:
    world.settings = {"source_hosts": "localhost"}
    world.configure(signed=True)
    world.reached(**webhook(receiver))
    assert world.send() == 0 and receiver.requests == []
    assert world.deliveries() == [("webhook", "due", "The key that signs webhooks cannot be read.")]
    assert "There is no secret default/alerts" in caplog.text
    world.configure()
    world.later(minutes=1)
    assert world.send() == 1 and "webhook-signature" not in receiver.requests[0][1]


def test_a_webhook_inside_of_the_network_gets_nothing_unless_the_settings_allow_it(
    world: World, receiver: WebServer
) -> None:
    world.configure()
    world.reached(**webhook(receiver))
    assert world.send() == 0
    refused = "localhost lies inside of the network: alerts are not posted there."
    assert world.deliveries() == [("webhook", "given_up", refused)] and receiver.requests == []


def test_a_webhook_goes_over_http_only_where_the_settings_allow_that(world: World) -> None:
    world.configure()
    with WebServer(lambda asked: asked.reply()) as server:
        for http, number in ((False, 0), (True, 1)):
            world.settings = {"source_hosts": "localhost", "source_http": http}
            world.reached(f"http-{number}", **webhook(server))
            assert world.send() == number == len(server.requests)


def test_redirects_are_not_followed_and_answers_say_whether_to_come_again(
    world: World, receiver: WebServer, authority: trustme.CA, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    statuses = iter([503, 429, 302])
    world.settings = {"source_hosts": "localhost"}
    world.configure()

    def answer(asked: Asked) -> None:
        asked.body()
        asked.reply(status=next(statuses), headers={"Location": receiver.url("/elsewhere")})

    with WebServer(answer, authority) as server:
        world.reached(**webhook(server))
        for state in ("due", "due", "given_up"):
            assert world.send() == 0
            ((_, found, problem),) = world.deliveries()
            assert found == state and problem is not None and "HTTP" in problem
            world.later(hours=1)
        ids = {headers["webhook-id"] for _, headers in server.requests}
    assert problem == "localhost does not take the alert: HTTP 302 (redirects are not followed)."
    assert len(ids) == 1 and len(server.requests) == 3 and receiver.requests == []
    assert "hunter" not in caplog.text and "hunter" not in str(world.deliveries())


def test_a_webhook_that_drips_its_answer_or_has_another_certificate_is_left_for_later(
    world: World, monkeypatch: pytest.MonkeyPatch, authority: trustme.CA
) -> None:
    monkeypatch.setattr("qtasks.stages.alerts._SENDING_SECONDS", 0.5)
    over = threading.Event()

    def drip(asked: Asked) -> None:
        while not over.wait(0.05):
            asked.wfile.write(b"H")

    world.settings = {"source_hosts": "localhost"}
    world.configure()
    with WebServer(drip, authority) as slow, WebServer(drip, trustme.CA()) as stranger:
        world.reached("slow", **webhook(slow))
        world.reached("stranger", **webhook(stranger))
        begun = time.monotonic()
        assert world.send() == 0
        assert time.monotonic() - begun < 4
        over.set()
        assert len(slow.requests) == 1 and stranger.requests == []
    problems = [str(problem) for _, _, problem in world.deliveries()]
    assert any("the connection broke" in said for said in problems)
    assert any("its certificate is not trusted" in said for said in problems)


def test_no_address_can_give_a_mail_another_line(world: World, smtp: SmtpServer) -> None:
    world.configure(smtp)
    world.reached(notificationEmail="team\x07@example.org")
    assert world.send() == 0 and smtp.received == [] and smtp.verbs == []
    ((_, state, problem),) = world.deliveries()
    assert state == "given_up" and "is not an e-mail address" in str(problem)
    with world.worker().store.begin() as tx:
        assert deliveries.take(tx, lease_seconds=1) is None
