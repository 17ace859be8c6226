"""A result survives being written down, and damage to it is noticed."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtasks.errors import InvalidInput, QTasksError
from qtasks.results import EstimatorPubResult, JobResult, SamplerPubResult, decode, encode
from qtasks.results.pack import pack

from .examples import BELL, with_pubs

texts = st.text('ab "\n\\é\u2028\ud7ff😀', max_size=6)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
sampler_pubs = st.integers(1, 70).flatmap(
    lambda width: st.dictionaries(st.integers(0, 2**width - 1).map(hex), st.integers(1, 1000), max_size=5).flatmap(
        lambda counts: st.builds(
            SamplerPubResult,
            st.just([("a é\u2028", width - 1), ("b", 1)]),
            st.just(width),
            st.just(sum(counts.values())),
            st.just(counts),
            st.sampled_from([None, [list(range(width - 1)), [0]]]),
            st.dictionaries(texts, plain, max_size=3),
        )
    )
)
results = st.lists(sampler_pubs, max_size=3).map(lambda pubs: with_pubs(*pubs))


@given(results)
def test_what_is_encoded_is_decoded(result: JobResult) -> None:
    data = encode(result)
    assert decode(data) == result
    assert encode(decode(data)) == data
    assert len(data.splitlines()) == 1
    assert data.decode().splitlines() == [data.decode()]


def test_equal_results_are_equal_bytes_whatever_the_order_of_their_counts() -> None:
    pub = BELL.sampler_pub()
    other = with_pubs(replace(pub, counts=dict(reversed(list(pub.counts.items())))))
    assert list(other.sampler_pub().counts) != list(pub.counts)
    assert encode(other) == encode(BELL)


def test_the_bytes_are_plain_json_with_the_names_of_the_fourth_seed() -> None:
    document = json.loads(encode(BELL))
    assert document["pubs"][0]["counts"] == {"0x0": 510, "0x3": 514}
    names = {"circuit_hash", "transpiled_depth", "transpiled_gates", "submission_time", "completion_time", "git_commit"}
    assert names <= set(document["provenance"])
    assert document["provenance"]["simulator_cost"] == "0.0000012"


def test_a_value_that_could_not_be_had_is_null_and_comes_back_as_nan() -> None:
    result = with_pubs(EstimatorPubResult([math.nan, 1.0], [math.nan, 0.5]), program="estimator")
    document = json.loads(encode(result))
    assert document["pubs"][0]["evs"] == [None, 1.0]
    back = decode(encode(result)).pubs[0]
    assert isinstance(back, EstimatorPubResult)
    assert isinstance(back.evs, list)
    assert math.isnan(back.evs[0])
    scalar = with_pubs(EstimatorPubResult(0.25, 0.0), program="estimator")
    assert decode(encode(scalar)) == scalar


@pytest.mark.parametrize("bad", [object(), math.inf, math.nan, {1: 2, "a": 3}, b"bytes"])
def test_metadata_that_is_no_json_is_refused(bad: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        encode(with_pubs(replace(BELL.sampler_pub(), metadata={"bad": bad})))
    assert caught.value.reason == "ResultNotEncodable"
    assert "job-1" in caught.value.message


def changed(**fields: Any) -> bytes:
    document = json.loads(encode(BELL))
    for path, value in fields.items():
        inner = document
        *way, last = path.split("__")
        for step in way:
            inner = inner[int(step)] if isinstance(inner, list) else inner[step]
        inner[last] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"{" * 100_000,
        encode(BELL)[:-10],
        b"[" + encode(BELL) + b"]",
        changed(schema=2),
        changed(program="magic"),
        changed(pubs=[{}]),
        changed(provenance={}),
        changed(provenance__simulator_cost="much"),
        changed(pubs__0__counts={"0x0": 1}),
        changed(pubs__0__counts={"0x4": 1024}),
        changed(pubs__0__counts={"-0x1": 1024}),
        changed(pubs__0__counts={"0x0": -1, "0x1": 1025}),
        changed(pubs__0__counts={"what": 1024}),
        changed(pubs__0__registers=[["meas", 3]]),
        changed(pubs__0__clbits=[[0, 2]]),
    ],
)
def test_bytes_that_are_no_result_are_corrupt(data: bytes) -> None:
    with pytest.raises(QTasksError) as caught:
        decode(data)
    assert caught.value.reason == "ResultCorrupt"


def test_a_changed_byte_is_noticed_by_the_digest() -> None:
    data = encode(BELL)
    noted = hashlib.sha256(data).hexdigest()
    assert decode(data, sha256=noted) == BELL
    with pytest.raises(QTasksError) as caught:
        decode(data.replace(b"510", b"500").replace(b"514", b"524"), sha256=noted)
    assert caught.value.reason == "ResultCorrupt"
    assert noted in caught.value.message


def test_what_a_later_version_added_to_the_provenance_is_passed_over() -> None:
    assert decode(changed(provenance__invented_later=1)) == BELL


@given(st.lists(st.binary(max_size=40).map(lambda data: data.replace(b"\n", b" ")), max_size=6))
def test_a_pack_gives_back_each_member_by_its_place(members: list[bytes]) -> None:
    blob, places = pack(members)
    assert [blob[offset : offset + length] for offset, length, _ in places] == members
    assert [digest for *_, digest in places] == [hashlib.sha256(member).hexdigest() for member in members]
    assert blob.count(b"\n") == len(members)


def test_a_pack_is_json_lines() -> None:
    blob, _ = pack([encode(BELL), encode(BELL)])
    assert [decode(line) for line in blob.splitlines()] == [BELL, BELL]


def test_a_member_of_two_lines_is_refused() -> None:
    with pytest.raises(ValueError, match="one line"):
        pack([b"a\nb"])
