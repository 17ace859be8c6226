"""Lifecycle rules for buckets: made of the retention, beside those of others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qtasks.objects.lifecycle import MARGIN_DAYS, gcs_rules, rules, s3_rules, with_others_in_gcs, with_others_in_s3
from qtasks.objects.s3 import S3Store
from tests.objects.conftest import BUCKET

DAY = 86_400.0


def test_results_expire_well_after_the_last_row_that_points_at_them() -> None:
    assert [rule.expire_days for rule in rules(30.5 * DAY)] == [31 + MARGIN_DAYS, None, None, 1]
    assert MARGIN_DAYS > 60, "what lies at a provider for long is written again every 60 days"


def test_nothing_that_is_kept_for_ever_expires_and_nothing_that_waits_does() -> None:
    for longest in (None, DAY):
        [pending] = [rule for rule in rules(longest) if rule.folder == "pending/"]
        assert pending.expire_days is None
    assert [rule.expire_days for rule in rules(None)] == [None, None, None, 1]


def test_s3_gets_a_rule_for_each_folder_of_the_store() -> None:
    [completed, pending, _, probe] = s3_rules(rules(DAY), "team/")
    assert completed == {
        "ID": completed["ID"],
        "Status": "Enabled",
        "Filter": {"Prefix": "team/completed/"},
        "Expiration": {"Days": 91},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }
    assert pending["Expiration"] == {"ExpiredObjectDeleteMarker": True} and probe["Expiration"] == {"Days": 1}
    assert completed["ID"] not in {rule["ID"] for rule in s3_rules(rules(DAY), "other/")}


def test_the_rules_of_others_stay_and_our_own_are_replaced() -> None:
    theirs: list[dict[str, Any]] = [
        {"ID": "logs", "Status": "Enabled", "Prefix": "logs/", "Expiration": {"Days": 3}},
        {"ID": "qtasks-logs", "Status": "Enabled", "Filter": {"Prefix": "x/"}, "Expiration": {"Days": 3}},
        *s3_rules(rules(DAY), "team-b/"),
    ]
    own = s3_rules(rules(None), "team-a/")
    first = with_others_in_s3(theirs, s3_rules(rules(9 * DAY), "team-a/"))
    again = with_others_in_s3(first, own)
    assert again[: len(theirs)] == [{**_without(theirs[0], "Prefix"), "Filter": {"Prefix": "logs/"}}, *theirs[1:]]
    assert again[len(theirs) :] == own


def test_google_s_rules_of_others_stay_and_our_own_are_replaced() -> None:
    theirs = [
        {"action": {"type": "Delete"}, "condition": {"age": 3}},
        {
            "action": {"type": "SetStorageClass", "storageClass": "COLDLINE"},
            "condition": {"matchesPrefix": ["completed/"]},
        },
    ]
    first = with_others_in_gcs(theirs, gcs_rules(rules(DAY), ""))
    assert {"action": {"type": "Delete"}, "condition": {"age": 91, "matchesPrefix": ["completed/"]}} in first
    again = with_others_in_gcs(first, gcs_rules(rules(None), ""))
    assert again == [*theirs, *gcs_rules(rules(None), "")]


def _without(rule: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in rule.items() if key != name}


@pytest.fixture
def prefix() -> str:
    return uuid.uuid4().hex


def _lifecycle(url: str, home: Path, *options: str) -> str:
    (home / "config.yaml").write_text("retention: {jobs: 90d, objects: 30d}\n")
    ran = subprocess.run(
        [sys.executable, "-m", "qtasks.cli", "objects", "lifecycle", *options],
        env={**os.environ, "QTASKS_HOME": str(home), "QTASKS_OBJECT_STORE_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0 and ran.stderr == "", ran.stderr
    return ran.stdout


@pytest.fixture
def s3(s3_server: str) -> Iterator[Any]:
    import boto3

    client = boto3.session.Session().client("s3")
    client.put_bucket_lifecycle_configuration(
        Bucket=BUCKET,
        LifecycleConfiguration={
            "Rules": [
                {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 5}},
            ]
        },
    )
    yield client
    client.delete_bucket_lifecycle(Bucket=BUCKET)


@pytest.mark.system
def test_the_rules_of_a_bucket_of_s3_are_printed_and_set(s3: Any, prefix: str, tmp_path: Path) -> None:
    url = f"s3://{BUCKET}/{prefix}"
    printed = json.loads(_lifecycle(url, tmp_path))
    assert [rule["Filter"]["Prefix"] for rule in printed["Rules"]][:2] == [f"{prefix}/completed/", f"{prefix}/pending/"]
    assert printed["Rules"][0]["Expiration"] == {"Days": 30 + MARGIN_DAYS}
    for _ in range(2):
        said = _lifecycle(url, tmp_path, "--apply")
    assert "1 of others" in said
    there = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert [rule["ID"] for rule in there] == ["theirs", *(rule["ID"] for rule in printed["Rules"])]
    assert there[1] == printed["Rules"][0]


@pytest.mark.system
def test_a_bucket_without_any_rule_gets_ours(s3: Any, prefix: str) -> None:
    s3.delete_bucket_lifecycle(Bucket=BUCKET)
    assert S3Store(BUCKET, prefix).apply_lifecycle(rules(None)) == 0
    assert len(s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]) == 4


@pytest.mark.system
def test_the_rules_of_a_bucket_of_google_s_are_printed_and_set(gcs_server: str, prefix: str, tmp_path: Path) -> None:
    from google.cloud.storage import Client  # type: ignore[import-untyped]

    bucket = Client().bucket(BUCKET)
    bucket.reload()
    theirs = {"action": {"type": "Delete"}, "condition": {"age": 5, "matchesPrefix": ["logs/"]}}
    bucket.lifecycle_rules = [theirs]
    bucket.patch()
    url = f"gs://{BUCKET}/{prefix}"
    printed = json.loads(_lifecycle(url, tmp_path))["rule"]
    for _ in range(2):
        assert "1 of others" in _lifecycle(url, tmp_path, "--apply")
    bucket.reload()
    assert [dict(rule) for rule in bucket.lifecycle_rules] == [theirs, *printed]


@pytest.mark.system
def test_a_folder_has_no_rules(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "qtasks.cli", "objects", "lifecycle"],
        env={**os.environ, "QTASKS_HOME": str(tmp_path), "QTASKS_OBJECT_STORE_URL": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 2 and "[NoLifecycle]" in ran.stderr
