"""All problems of a resource are told at once, as lines and as data, and nothing secret is repeated."""

import pytest
from test_resource_models import job, problems

from qtasks.errors import InvalidInput
from qtasks.resources import parse


def test_every_problem_is_reported_as_data_and_as_a_line():
    with pytest.raises(InvalidInput) as refused:
        parse(job(execution={"shots": 0, "priority": "hgih"}))
    assert refused.value.details["problems"] == [
        {
            "path": "spec.execution.shots",
            "value": 0,
            "message": "0 is not allowed: 1 to 100000",
            "allowed": "1 to 100000",
        },
        {
            "path": "spec.execution.priority",
            "value": "hgih",
            "message": '"hgih" is not allowed: low, normal, high, urgent; did you mean "high"?',
            "allowed": ["low", "normal", "high", "urgent"],
            "nearest": "high",
        },
    ]
    assert len(refused.value.message.splitlines()) == 2


def test_of_very_many_problems_the_first_are_told():
    with pytest.raises(InvalidInput) as refused:
        parse(job(execution={"initialLayout": [-1] * 1000}))
    assert len(refused.value.details["problems"]) == 50
    assert refused.value.message.splitlines()[-1] == "and more"


def test_what_upsets_a_terminal_or_an_encoding_is_not_repeated():
    with pytest.raises(InvalidInput) as refused:
        parse(job({"annotations": {"a": "\ud800"}, "labels": {"\x1b[2J\n": "x"}}, **{"\ud800": 1}))
    assert refused.value.message.encode().isascii() is False
    assert "\x1b" not in refused.value.message
    assert len(refused.value.message.splitlines()) == 3


@pytest.mark.parametrize(
    "spec",
    [
        {"credentials": {"token": "hunter2"}},
        {"credentials": "hunter2"},
        {"credentials": {"secretRef": {"name": "HUNTER2 hunter2"}}},
        {"circuit": {"source": "url", "url": "https://me:hunter2@example.com/c"}},
        {"backend": {"token": "hunter2"}},
        {"output": {"location": "x" * 600 + "hunter2"}},
    ],
)
def test_a_problem_repeats_no_secret(spec):
    found = problems(job(**spec))
    assert "hunter2" not in str(found)
    assert all(len(str(problem["value"])) <= 80 for problem in found)
