"""From a location as it is written to the place of one result."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtasks.errors import InvalidInput
from qtasks.resources import Output
from qtasks.results.outputs.places import bucket_and_key, filled
from qtasks.results.outputs.protocol import Delivery

JOB = Delivery("lab", "0192-id", "x", None, "vqe.h2", "csv", "2026-01-02")


@pytest.mark.parametrize(
    ("location", "bucket", "key"),
    [
        ("s3://bucket", "bucket", "0192-id.csv"),
        ("s3://bucket/", "bucket", "0192-id.csv"),
        ("s3://bucket/results/", "bucket", "results/0192-id.csv"),
        ("s3://bucket/vqe/h2", "bucket", "vqe/h2/0192-id.csv"),
        ("s3://bucket/vqe/bell.json", "bucket", "vqe/bell.json"),
        ("s3://bucket/{namespace}/{name}/{job_id}", "bucket", "lab/vqe.h2/0192-id"),
        ("s3://bucket/{namespace}/", "bucket", "lab/0192-id.csv"),
        ("s3://bucket/{date}/results", "bucket", "2026-01-02/results/0192-id.csv"),
        ("gs://{namespace}-results/{name}.{format}", "lab-results", "vqe.h2.csv"),
        ("gs://{namespace}-results", "lab-results", "0192-id.csv"),
    ],
)
def test_a_location_is_a_folder_or_the_name_of_an_object(location: str, bucket: str, key: str) -> None:
    job = filled(replace(JOB, location=location))
    assert bucket_and_key(job.location, job, location) == (bucket, key)


@pytest.mark.parametrize("location", ["s3://b/a//b.json", "s3://b/../b.json", "s3://b/./b.json", "s3://b/" + "é" * 600])
def test_what_is_no_objects_name_is_refused(location: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        bucket_and_key(location, JOB, location)
    assert caught.value.reason == "InvalidOutput"


@given(st.text("ab./\\{}-\0é ", max_size=12))
def test_a_value_never_leads_elsewhere(value: str) -> None:
    job = filled(replace(JOB, location="x-{name}", path="a/{name}/c", name=value))
    assert job.path is not None
    assert job.path.count("/") == 2
    assert not job.path.split("/")[1].startswith(".")
    assert job.location.isascii() and " " not in job.location


def test_a_field_that_there_is_not_cannot_be_filled_in() -> None:
    with pytest.raises(InvalidInput, match=r"\{user\} cannot be filled in"):
        filled(replace(JOB, location="s3://b/{user}"))


@pytest.mark.parametrize(
    ("output", "field", "said"),
    [
        ({"type": "s3", "location": "s3://b/{jobid}"}, "location", 'did you mean "{job_id}"?'),
        ({"type": "s3", "location": "s3://b/{}"}, "location", "is not one of"),
        ({"type": "s3", "location": "s3://b/{name"}, "location", "braces are for one of {namespace}, {name}"),
        ({"type": "pvc", "location": "c", "path": "a/{user}.json"}, "path", "{user} is not one of"),
        ({"type": "configmap", "location": "{name}/x"}, "location", "must be the name of a ConfigMap"),
    ],
)
def test_a_job_that_names_another_is_refused_when_it_is_submitted(
    output: dict[str, str], field: str, said: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        Output(**output)
    [problem] = caught.value.details["problems"]
    assert problem["path"] == field
    assert said in problem["message"]


@pytest.mark.parametrize("location", ["{namespace}", "results-{name}-{date}", "{job_id}.{format}"])
def test_a_configmap_may_be_named_by_fields(location: str) -> None:
    assert Output(location=location).location == location
