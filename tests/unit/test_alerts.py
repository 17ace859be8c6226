"""What alerts say, how they are signed, and what addresses they go to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from qtasks.alerts.deadline import cut_off
from qtasks.alerts.mail import mail
from qtasks.alerts.message import payload, sentence, subject, text
from qtasks.alerts.webhook import Message, key_of, post, signature
from qtasks.config import Config, Security, load_config
from qtasks.errors import Forbidden, InvalidInput, Unavailable
from qtasks.store.alerts import Alert, JobCost, Standing

STANDING = Standing(
    period="monthly",
    time_zone="Europe/Berlin",
    start="2026-10-31T23:00:00+00:00",
    end="2026-11-30T23:00:00+00:00",
    limit_micros=10_000_000,
    settled_micros=8_000_000,
    reserved_micros=500_000,
    limit_quantum=None,
    settled_quantum=5_000_000,
    reserved_quantum=0,
)
ALERT = Alert(
    id="0192f3a4-0000-7000-8000-000000000001",
    at=datetime(2026, 11, 20, 9, 41, tzinfo=UTC),
    namespace="default",
    budget="team",
    threshold=80,
    percent=85,
    about=STANDING,
)
OF_JOB = replace(ALERT, percent=82, about=JobCost("bell", 8_200_000, 10_000_000))


def test_the_text_says_what_was_spent_of_what_in_the_time_zone_of_the_budget_and_what_comes_next() -> None:
    assert text(ALERT) == (
        "Budget default/team has reached 80 % of its limit: 85 % are used.\n"
        "\n"
        "Budget:                 default/team\n"
        "Period:                 monthly, 2026-11-01 00:00 Europe/Berlin to 2026-12-01 00:00 Europe/Berlin\n"
        "Limit:                  $10.00\n"
        "Spent:                  $8.00\n"
        "Reserved:               $0.50, for jobs under way\n"
        "Quantum time used:      5 s\n"
        "Quantum time reserved:  0 s\n"
        "Used:                   85 % of the limit, spent and reserved together\n"
        "Told at:                2026-11-20 10:41 Europe/Berlin\n"
        "\n"
        "Jobs go on. One that passes the limit waits until the period turns, 2026-12-01 00:00 Europe/Berlin, or until "
        "the limit is raised.\n"
    )


def test_at_the_limit_it_says_that_nothing_further_starts() -> None:
    ever = replace(STANDING, period="total", start=None, end=None, limit_micros=None, limit_quantum=9_500_000)
    said = text(replace(ALERT, percent=100, about=ever))
    assert "Period:                 total\n" in said and "Quantum time limit:     9.5 s\n" in said
    assert said.endswith("No further job that it is for is started until the limit is raised. Those under way go on.\n")


def test_a_percentage_is_never_rounded_up_to_the_limit() -> None:
    assert "99.99 % are used" in sentence(replace(ALERT, percent=99.9999))
    assert subject(replace(ALERT, percent=33.3333)) == "[qtasks] Budget default/team: 33.33 %"


def test_the_alert_of_a_job_names_its_cost() -> None:
    assert sentence(OF_JOB) == "Job default/bell has cost $8.20, 82 % of its maxCost of $10.00."
    assert subject(OF_JOB) == "[qtasks] Job default/bell: 82 %" and "80 % (alertThreshold)" in text(OF_JOB)
    found = json.loads(payload(OF_JOB))
    assert (found["type"], found["data"]["job"], found["data"]["cost"]) == ("job.threshold", "bell", "$8.20")


def test_programs_are_told_the_same_as_json() -> None:
    assert json.loads(payload(ALERT)) == {
        "type": "budget.threshold",
        "timestamp": "2026-11-20T09:41:00.000000Z",
        "data": {
            "id": ALERT.id,
            "namespace": "default",
            "budget": "team",
            "threshold": 80,
            "percent": 85,
            "message": "Budget default/team has reached 80 % of its limit: 85 % are used.",
            "period": {
                "name": "monthly",
                "start": "2026-10-31T23:00:00.000000Z",
                "end": "2026-11-30T23:00:00.000000Z",
                "timeZone": "Europe/Berlin",
            },
            "limit": "$10.00",
            "spent": "$8.00",
            "reserved": "$0.50",
            "quantumSeconds": {"limit": None, "used": 5.0, "reserved": 0.0},
        },
    }


def test_the_mail_is_recognised_when_it_comes_again() -> None:
    written = mail(ALERT, sender="qtasks@example.org", to="team@example.org").as_bytes()
    assert written == mail(ALERT, sender="qtasks@example.org", to="team@example.org").as_bytes()
    parsed = message_from_bytes(written, policy=default)
    assert parsed["Message-ID"] == f"<{ALERT.id}@example.org>"
    assert parsed["Subject"] == "[qtasks] Budget default/team: 85 %"
    assert (parsed["From"], parsed["To"]) == ("qtasks@example.org", "team@example.org")
    assert parsed["Date"].datetime == ALERT.at and parsed["Auto-Submitted"] == "auto-generated"
    assert parsed.get_content_type() == "text/plain" and all(line.isascii() for line in written.splitlines())


@pytest.mark.parametrize(
    "address",
    [
        "a@example.org\r\nBcc: all@example.org",
        "a@example.org\nRCPT TO:<all@example.org>",
        "a@example.org\x00",
        "a@b@example.org",
        "a b@example.org",
        '"a b"@example.org',
        "Team <a@example.org>",
        "a@example.org, b@example.org",
        "a@[127.0.0.1]",
        "a@-example.org",
        "ä@example.org",
        "a@",
        "@example.org",
        "a..b@example.org",
        "a" * 65 + "@example.org",
        "a@" + "b." * 130 + "org",
    ],
)
def test_what_is_not_one_plain_address_gets_no_mail(address: str) -> None:
    with pytest.raises(InvalidInput) as error:
        mail(ALERT, sender="qtasks@example.org", to=address)
    assert error.value.reason == "AlertRefused"


def test_the_signature_is_that_of_standard_webhooks() -> None:
    # The example of its specification.
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    assert signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_a_key_may_be_any_text() -> None:
    made = hmac.new("päss".encode(), b"id.5.{}", hashlib.sha256).digest()
    assert signature(key_of("päss"), "id", 5, b"{}") == "v1," + base64.b64encode(made).decode()
    for wrong in ("", "whsec_!"):
        with pytest.raises(ValueError):
            key_of(wrong)


MESSAGE = Message("0192f3a4", b"{}")


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "fd00::1"])
def test_a_webhook_inside_of_the_network_is_refused_before_anything_is_sent(address: str) -> None:
    def inside(*_: Any, **__: Any) -> list[Any]:
        return [(0, 0, 0, "", (address, 443))]

    with pytest.raises(Forbidden, match=r"hooks.example lies inside of the network.*QTASKS_SOURCE_HOSTS") as error:
        post(MESSAGE, "https://hooks.example/T0/s", key=None, hosts="", http=False, seconds=1, lookup=inside)
    assert address not in str(error.value) and "/T0" not in str(error.value)


def test_a_webhook_is_https_unless_the_settings_allow_http() -> None:
    with pytest.raises(Forbidden, match="QTASKS_SOURCE_HTTP=true"):
        post(MESSAGE, "http://hooks.example/T0/s", key=None, hosts="", http=False, seconds=1)
    for wrong in (
        "https://user:secret@hooks.example/",
        "https://hooks.example\\@x/",
        "https://0x7f000001/",
        "ftp://x/",
    ):
        with pytest.raises((InvalidInput, Forbidden)) as error:
            post(MESSAGE, wrong, key=None, hosts="", http=True, seconds=1)
        assert error.value.reason == "AlertRefused" and "secret" not in str(error.value)


def test_a_host_that_nobody_knows_may_be_known_later() -> None:
    def unknown(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "no such host")

    with pytest.raises(Unavailable, match="its name cannot be looked up"):
        post(MESSAGE, "https://hooks.example/", key=None, hosts="", http=False, seconds=1, lookup=unknown)


def test_a_peer_that_never_ends_is_cut_off() -> None:
    ours, theirs = socket.socketpair()
    over = threading.Event()

    def drip() -> None:
        while not over.wait(0.01):
            theirs.sendall(b".")

    thread = threading.Thread(target=drip)
    with ours, theirs:
        thread.start()
        begun = time.monotonic()
        try:
            with cut_off(ours, 0.2):
                while ours.recv(1):
                    pass
        finally:
            over.set()
            thread.join()
        assert 0.2 <= time.monotonic() - begun < 5


def _config(folder: Path, text: str) -> Config:
    (folder / "config.yaml").write_text(text)
    return load_config(folder / "config.yaml")


def test_the_operator_names_the_mail_server_and_the_secrets(tmp_path: Path) -> None:
    config = _config(
        tmp_path,
        "alerts:\n  smtp: {host: mail.example.org, from: qtasks@example.org, credentials: {secretRef: {name: mail}}}\n"
        "  webhooks: {signingSecret: alerts}\n",
    )
    smtp, webhooks = config.alerts.smtp, config.alerts.webhooks
    assert smtp is not None and webhooks is not None
    assert (smtp.effective_port, smtp.security, smtp.sender) == (587, Security.STARTTLS, "qtasks@example.org")
    assert config.reserves(namespace="default", name="mail") and not config.reserves(namespace="default", name="alerts")
    assert Config().alerts.smtp is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{host: h, from: a@b, security: none, credentials: {secretRef: {name: m}}}", "without encryption"),
        ("{host: 'h\\r\\nx', from: a@b}", "alerts.smtp.host"),
        ("{host: h}", "alerts.smtp.from: required"),
        ("{host: h, from: a@b, password: hunter2}", "alerts.smtp.password: unknown field"),
    ],
)
def test_what_is_wrong_with_the_mail_server_is_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as error:
        _config(tmp_path, f"alerts: {{smtp: {text}}}")
    assert "hunter2" not in str(error.value)
