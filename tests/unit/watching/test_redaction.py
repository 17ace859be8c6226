"""What looks like a secret is taken out of a line, and what does not is left in it."""

from __future__ import annotations

import pytest

from qtasks.telemetry.redaction import Redaction, passwords

REDACTION = Redaction()


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("connecting to redis://:hunter2@redis:6379/0", "hunter2"),
        ("postgresql+psycopg://qtasks:p%40ss%2Fword@db/qtasks refused", "p%40ss"),
        ("redis://user:pa@ss/word@host:6379/0", "pa@ss/word"),
        ("redis://:12345678@host:6379/0", "12345678"),
        ("Authorization: Bearer qtk_0123456789abcdefghijABCDEFGHIJ", "0123456789"),
        ("{'Authorization': 'Basic b3BzOmh1bnRlcjI='}", "b3BzOmh1bnRlcjI"),
        ("sent bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "eyJzdWIi"),
        ("a token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl alone", "c2lnbmF0"),
        ("the token qtk_0123456789abcdefghijABCDEFGHIJ012345678_a-", "abcdefghij"),
        ("key AKIAIOSFODNN7EXAMPLE is unknown", "IOSFODNN7"),
        ("secret wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY here", "wJalrXUtnFEMI"),
        ("https://b.s3.amazonaws.com/k?X-Amz-Signature=0a1b2c3d&X-Amz-Expires=60", "0a1b2c3d"),
        ("https://b.s3.amazonaws.com/k?X-Amz-Security-Token=FwoGZXIvYXdz&x=1", "FwoGZXIvYXdz"),
        ("host=db user=qtasks password=hunter2 dbname=qtasks", "hunter2"),
        ('{"apikey": "abc-def-ghi", "instance": "crn"}', "abc-def-ghi"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----", "MIIEow"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEow and no end", "MIIEow"),
    ],
)
def test_a_secret_is_taken_out(text: str, secret: str) -> None:
    assert secret in text
    assert secret not in REDACTION.text(text)
    assert "***" in REDACTION.text(text)


@pytest.mark.parametrize(
    "text",
    [
        "GET http://127.0.0.1:8000/v1/jobs/abc?labels=a@b answered 200",
        "job 01a1fb29-c306-7f4f-81c8-f8d7aa4eb532 took 12 ms",
        "commit 0a1b2c3d4e5f60718293a4b5c6d7e8f901234567 was fetched",
        "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "There is no secret default/ibm. The token was refused; basic authentication is off",
        "redis+socket:///home/ops/.qtasks/run/redis.sock?virtual_host=0",
        "/usr/lib/python3/dist-packages/Something/Else/x",
    ],
)
def test_what_is_no_secret_is_left(text: str) -> None:
    assert REDACTION.text(text) == text


def test_secrets_that_are_known_are_taken_out_wherever_they_stand() -> None:
    known = Redaction(passwords("redis://:hunter2%2Fmore@host/0", "postgresql://u@db/x", "redis://:short@h/0"))
    assert known.text("it said hunter2/more, and hunter2%2Fmore") == "it said ***, and ***"
    assert known.text("short words stay") == "short words stay"


def test_values_are_redacted_by_their_names_at_any_depth() -> None:
    given = {"user": "ops", "more": [{"password": "x", "n": 1}], "url": "redis://:hunter2@h/0", "none": None}
    assert REDACTION.value(given) == {
        "user": "ops",
        "more": [{"password": "***", "n": 1}],
        "url": "redis://:***@h/0",
        "none": None,
    }


@pytest.mark.parametrize("unit", ["a.a", "a://b:", "x", "Ab1/", "secret", "authorization: ", 'password="', "eyJa."])
def test_a_long_line_is_no_trap(unit: str) -> None:
    import time

    text = unit * (40_000 // len(unit))
    began = time.process_time()
    REDACTION.text(text)
    assert time.process_time() - began < 1
