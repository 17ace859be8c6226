"""Which addresses are stores, and what is said of the others."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

from qtasks.errors import InvalidInput
from qtasks.objects import open_store


@pytest.mark.parametrize("url", ["ftp://host/x", "/just/a/path", "", "http://host/bucket"])
def test_what_is_not_supported_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        open_store(url)
    assert caught.value.reason == "UnsupportedObjectStore"
    assert "s3://" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "file://host/share",
        "file:relative",
        "file://",
        "s3://",
        "s3://B/x",
        "s3://bucket/../x",
        "s3://bucket/a b",
        "s3://bucket/p?region=x",
        "s3://bucket:80/x#y",
        "s3://[half",
        "gs://",
        "gs://B/x",
        "gs://bucket/../x",
    ],
)
def test_a_wrong_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        open_store(url)
    assert caught.value.reason in ("InvalidObjectStoreUrl", "InvalidObjectKey")


def test_credentials_in_an_address_are_refused_and_not_repeated() -> None:
    with pytest.raises(InvalidInput) as caught:
        open_store("s3://AKIAEXAMPLE:hunter2@bucket/prefix")
    assert "hunter2" not in str(caught.value)
    assert "AKIAEXAMPLE" not in str(caught.value)
    assert "hunter2" not in str(pickle.loads(pickle.dumps(caught.value)))


def test_a_slash_at_the_end_makes_no_difference() -> None:
    assert open_store("s3://bucket/prefix/").url == open_store("s3://bucket/prefix").url == "s3://bucket/prefix"
    assert open_store("s3://bucket").url == "s3://bucket"
    assert open_store("gs://bucket/prefix/").url == open_store("gs://bucket/prefix").url == "gs://bucket/prefix"


def test_providers_libraries_are_not_imported_before_they_are_needed() -> None:
    code = (
        "import sys, qtasks.objects as objects, qtasks.objects.s3, qtasks.objects.gcs\n"
        "objects.open_store('s3://bucket/prefix'); objects.open_store('gs://bucket/prefix')\n"
        "print('boto3' in sys.modules, 'google.cloud.storage' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert answer.stdout.strip() == "False False"
