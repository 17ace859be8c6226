"""What is asked of S3 and Google Cloud Storage, and how their answers are taken: by servers whose answers are written
here, and by none at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from qtasks.errors import Forbidden, InvalidInput, NotFound, QTasksError, Unavailable
from qtasks.results.outputs import Answer, Delivery, Means, Question, deliver
from qtasks.settings import Settings

KEYS = {"access-key-id": "AKIA", "secret-access-key": "hunter2-hunter2"}
OWN = {"broker_url": "redis://127.0.0.1:1/0"}


class Asked:
    """Notes what is asked, and answers with what it was given, the last of it again and again."""

    def __init__(self, *answers: Answer) -> None:
        self.questions: list[Question] = []
        self._answers = list(answers) or [Answer(200)]

    def __call__(self, question: Question) -> Answer:
        self.questions.append(question)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def put(
    asked: Asked, secret: Mapping[str, str] | None, location: str = "s3://results/bell.json", **settings: Any
) -> Question:
    """The last question that a delivery to `location` asks."""
    means = Means(Settings(**settings), secret, asked, asked)
    deliver(location[:2].replace("gs", "gcs"), Delivery("lab", "job-1", location), b"{}", means)
    return asked.questions[-1]


@pytest.mark.parametrize(
    ("secret", "location", "url", "region"),
    [
        ({}, "s3://results/bell.json", "https://results.s3.us-east-1.amazonaws.com/bell.json", "us-east-1"),
        ({"region": "eu-west-1"}, "s3://a.b/x.json", "https://s3.eu-west-1.amazonaws.com/a.b/x.json", "eu-west-1"),
        (
            {"endpoint": "https://s3.amazonaws.com"},
            "s3://abc/x.json",
            "https://abc.s3.us-east-1.amazonaws.com/x.json",
            "",
        ),
        (
            {"endpoint": "https://s3.eu-west-1.amazonaws.com/"},
            "s3://abc/x.json",
            "https://abc.s3.eu-west-1.amazonaws.com/x.json",
            "eu-west-1",
        ),
        ({"region": "cn-north-1"}, "s3://abc/x.json", "https://abc.s3.cn-north-1.amazonaws.com.cn/x.json", ""),
        ({"endpoint": "https://minio:9000"}, "s3://abc/é x.json", "https://minio:9000/abc/%C3%A9%20x.json", ""),
    ],
)
def test_a_bucket_is_asked_where_it_is(secret: dict[str, str], location: str, url: str, region: str) -> None:
    question = put(Asked(), KEYS | secret, location)
    assert (question.method, question.url) == ("PUT", url)
    assert question.headers["Content-Type"] == "application/json"
    assert question.headers["Content-MD5"] == "mZFLkyvTelC5g8XnyQrpOw=="
    assert f"/{region or secret.get('region') or 'us-east-1'}/s3/aws4_request" in question.headers["Authorization"]


def test_the_secret_signs_and_is_not_sent_and_a_token_is() -> None:
    question = put(Asked(), {**KEYS, "session-token": "of-a-session"})
    assert question.headers["X-Amz-Security-Token"] == "of-a-session"
    assert "hunter2" not in str(question.headers)
    assert "of-a-session" not in repr(question) and "AKIA" not in repr(question)


def test_a_bucket_of_another_region_is_asked_there_once() -> None:
    asked = Asked(Answer(301, {"x-amz-bucket-region": "eu-west-1"}), Answer(200))
    assert put(asked, KEYS).url == "https://results.s3.eu-west-1.amazonaws.com/bell.json"
    told = b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>us-west-2</Region></Error>"
    asked = Asked(Answer(400, {}, told))
    with pytest.raises(InvalidInput, match="AuthorizationHeaderMalformed"):
        put(asked, KEYS)
    assert [("us-west-2" in question.url) for question in asked.questions] == [False, True]


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (Answer(403, {}, b"<Code>AccessDenied</Code>"), Forbidden, "OutputForbidden"),
        (Answer(404, {}, b"<Code>NoSuchBucket</Code>"), NotFound, "BucketNotFound"),
        (Answer(400, {}, b"<Code>EntityTooLarge</Code>"), InvalidInput, "OutputTooLarge"),
        (Answer(400, {}, b"<Code>RequestTimeout</Code>"), Unavailable, "OutputUnavailable"),
        (Answer(503, {}, b"<Code>SlowDown</Code>"), Unavailable, "OutputUnavailable"),
        (Answer(429), Unavailable, "OutputUnavailable"),
        (Answer(302, {"location": "http://169.254.169.254/"}), InvalidInput, "InvalidOutput"),
        (Answer(418, {}, b"<Code>hunter2-hunter2 and more</Code>"), InvalidInput, "InvalidOutput"),
    ],
)
@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_what_a_server_answers_is_told_apart(scheme: str, answer: Answer, kind: type[QTasksError], reason: str) -> None:
    secret = KEYS if scheme == "s3" else {"endpoint": "https://gcs.example"}
    with pytest.raises(kind) as caught:
        put(Asked(answer), secret, f"{scheme}://results/bell.json")
    assert caught.value.reason == reason
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("location", "secret", "said"),
    [
        ("s3://results", {"access-key-id": "AKIA"}, "has no key secret-access-key"),
        ("s3://results", {}, "no key access-key-id and no key secret-access-key"),
        ("s3://results", {**KEYS, "secret-access-key": "a\nb"}, "has a blank or a strange character"),
        ("s3://results", {**KEYS, "region": "evil.example/"}, "region is not the name of one"),
        ("s3://UPPER", KEYS, "'UPPER' is not the name of a bucket"),
        ("s3://a..b", KEYS, "is not the name of a bucket"),
        ("gs://results", {}, "has no key service-account.json"),
        ("gs://results", {"service-account.json": "[]"}, "no JSON key of a service account"),
        ("gs://results", {"credentials.json": '{"type": "external_account"}'}, "no JSON key of a service account"),
        ("gs://re:sults", {"endpoint": "https://x"}, "is not the name of a bucket"),
    ],
)
def test_a_secret_or_bucket_that_is_none_is_refused_before_anybody_is_asked(
    location: str, secret: dict[str, str], said: str
) -> None:
    asked = Asked()
    with pytest.raises(InvalidInput, match=said):
        put(asked, secret, location)
    assert asked.questions == []


def test_a_private_key_that_is_none_is_refused_and_not_repeated() -> None:
    account = {"type": "service_account", "client_email": "a@b", "private_key": "hunter2", "token_uri": "https://t"}
    with pytest.raises(InvalidInput) as caught:
        put(Asked(), {"key.json": json.dumps(account)}, "gs://results")
    assert caught.value.reason == "InvalidSecret"
    assert "hunter2" not in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize("location", ["s3://results", "gs://results"])
def test_a_tenants_output_is_never_written_with_the_workers_own_credentials(
    location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-worker")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-worker")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "127.0.0.1:1")
    asked = Asked()
    with pytest.raises(Forbidden) as caught:
        put(asked, None, location, **OWN)
    assert caught.value.reason == "NoOutputCredentials"
    assert "output.credentials" in caught.value.hint
    assert asked.questions == []


def test_the_user_of_an_embedded_stack_may_use_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine-too")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9000")
    question = put(Asked(), None)
    assert question.url == "http://127.0.0.1:9000/results/bell.json"
    assert "Credential=mine/" in question.headers["Authorization"]
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "127.0.0.1:9001")
    question = put(Asked(), None, "gs://results/bell.json")
    assert question.url == "http://127.0.0.1:9001/results/bell.json"
    assert "Authorization" not in question.headers


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(Answer(400), Forbidden), (Answer(200, {}, b'{"access_token": "a\\nb"}'), Forbidden), (Answer(500), Unavailable)],
)
def test_without_a_token_nothing_is_sent(
    answer: Answer, kind: type[QTasksError], gcs_keys: tuple[str, str, bytes]
) -> None:
    account = {"type": "service_account", "client_email": "a@b", "token_uri": "https://token.example"}
    asked = Asked(answer)
    with pytest.raises(kind):
        put(asked, {"key.json": json.dumps({**account, "private_key": gcs_keys[0]})}, "gs://results")
    assert [question.url for question in asked.questions] == ["https://token.example"]
