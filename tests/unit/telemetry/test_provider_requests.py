"""What comes of requests to providers, by the errors of their libraries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qtasks.telemetry import exposition, metric
from qtasks.telemetry.provider_requests import measured


@pytest.fixture(autouse=True)
def counting() -> Iterator[None]:
    metric.switch_on()
    yield
    metric.switch_off()


class _Refused(Exception):
    """As botocore's ClientError and IBM's ApiException say what came back."""

    def __init__(self, **fields: object) -> None:
        self.__dict__.update(fields)


def _outcomes() -> set[str]:
    lines = exposition.text().decode().splitlines()
    return {line for line in lines if line.startswith("qtasks_provider_requests_total")}


def _aws(status: int, code: str) -> _Refused:
    return _Refused(response={"ResponseMetadata": {"HTTPStatusCode": status}, "Error": {"Code": code}})


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (_aws(400, "ValidationException"), "4xx"),
        (_aws(400, "ThrottlingException"), "429"),
        (_aws(503, "ServiceUnavailable"), "5xx"),
        (_Refused(status_code=429), "429"),
        (_Refused(code=500), "5xx"),
        (ConnectionError(), "error"),
    ],
)
def test_an_error_counts_by_the_status_that_came_with_it(error: Exception, outcome: str) -> None:
    with pytest.raises(type(error)), measured("aws_braket"):
        raise error
    assert _outcomes() == {f'qtasks_provider_requests_total{{outcome="{outcome}",provider="aws_braket"}} 1.0'}


def test_an_answer_counts_by_its_status() -> None:
    for status in (200, 204, 429, 500):
        with measured("ibm_quantum") as outcome:
            outcome.status = status
    counted = {line.split('"')[1]: line.rpartition(" ")[2] for line in _outcomes()}
    assert counted == {"2xx": "2.0", "429": "1.0", "5xx": "1.0"}
