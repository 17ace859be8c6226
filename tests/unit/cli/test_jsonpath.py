"""JSONPath templates give what kubectl gives for them."""

from __future__ import annotations

import pytest

from qtasks.cli.jsonpath import evaluate
from qtasks.errors import InvalidInput

JOB = {
    "metadata": {"name": "bell", "labels": {"app.kubernetes.io/name": "vqe", "team": "lab"}},
    "status": {
        "phase": "Completed",
        "cost": "$0.00",
        "attempt": 1,
        "conditions": [
            {"type": "Validated", "status": "True", "message": "The circuit is valid."},
            {"type": "BudgetChecked", "status": "True", "message": "Simulator time is free of charge here."},
        ],
        "counts": {"00": 515, "11": 509},
        "final": True,
    },
}
LIST = {"kind": "List", "items": [JOB, {"metadata": {"name": "ghz"}, "status": {"phase": "Failed", "attempt": 3}}]}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        # The lines of the first seed document.
        ("{.status.phase}", "Completed"),
        ("{.status.cost}", "$0.00"),
        ('{.status.conditions[?(@.type=="Validated")].message}', "The circuit is valid."),
        ('{.status.conditions[?(@.type=="BudgetChecked")].message}', "Simulator time is free of charge here."),
        # Fields.
        ("{$.status.phase}", "Completed"),
        ("{@.status.phase}", "Completed"),
        ("{['status'].phase}", "Completed"),
        ("{.metadata['name']}", "bell"),
        ("{.metadata.labels.app\\.kubernetes\\.io/name}", "vqe"),
        ("{.metadata.labels['app.kubernetes.io/name']}", "vqe"),
        ("{.metadata['name', 'labels.team']}", "bell lab"),
        ("{.metadata.labels.*}", "vqe lab"),
        ("{..message}", "The circuit is valid. Simulator time is free of charge here."),
        # Values that are no text are JSON.
        ("{.status.attempt}", "1"),
        ("{.status.final}", "true"),
        ("{.status.counts}", '{"00":515,"11":509}'),
        # Elements.
        ("{.status.conditions[0].type}", "Validated"),
        ("{.status.conditions[-1].type}", "BudgetChecked"),
        ("{.status.conditions[0,1].type}", "Validated BudgetChecked"),
        ("{.status.conditions[0:1].type}", "Validated"),
        ("{.status.conditions[::2].type}", "Validated"),
        ("{.status.conditions[*].type}", "Validated BudgetChecked"),
        ("{.status.conditions[?(@.type != 'Validated')].type}", "BudgetChecked"),
        ("{.status.conditions[?(@.lastTransitionTime)].type}", ""),
        # Text.
        ('{.metadata.name}{"\\n"}', "bell\n"),
        ("{.metadata.name} is {.status.phase}", "bell is Completed"),
        ('{"a{b}c"}', "a{b}c"),
        ("{ .metadata.name }", "bell"),
        # What is missing prints nothing.
        ("{.status.nothing.at.all}", ""),
        ("{.status.conditions[7].type}", ""),
        ("{.status.phase[0]}", ""),
    ],
)
def test_a_template_over_one_job(template: str, text: str) -> None:
    assert evaluate(template, JOB) == text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{.items[*].metadata.name}", "bell ghz"),
        ('{range .items[*]}{.metadata.name}{"\\t"}{.status.phase}{"\\n"}{end}', "bell\tCompleted\nghz\tFailed\n"),
        ("{range .items[*]}[{.metadata.name}, {$.kind}]{end}.", "[bell, List][ghz, List]."),
        (
            "{range .items[*]}{.metadata.name}:{range .status.conditions[*]} {.type}{end};{end}",
            "bell: Validated BudgetChecked;ghz:;",
        ),
        ("{.items[?(@.status.attempt > 1)].metadata.name}", "ghz"),
        ("{.items[?(@.status.attempt <= 1)].metadata.name}", "bell"),
        ("{.items[?(@.status.cost)].metadata.name}", "bell"),
        ("{.items[?(@.status.phase > 3)].metadata.name}", ""),
    ],
)
def test_a_template_over_a_list(template: str, text: str) -> None:
    assert evaluate(template, LIST) == text


@pytest.mark.parametrize(
    ("template", "wrong"),
    [
        (".status.phase", "an expression stands in braces"),
        ("{.status.phase", "a brace is not closed"),
        ("{range .items[*]}{.metadata.name}", "a range has no {end}"),
        ("{.metadata.name}{end}", "{end} without a range"),
        ("{status}", "an expression starts with a dot"),
        ("{.items[}", "a number, a name in quotes or * is wanted"),
        ("{.items[0}", '"]" is missing'),
        ("{.items[::0]}", "a step of 0"),
        ("{.items[?(@.a==)]}", "a value is wanted"),
        ('{.items[?(@.a=="b"]}', '")" is missing'),
    ],
)
def test_a_template_that_makes_no_sense_is_refused(template: str, wrong: str) -> None:
    with pytest.raises(InvalidInput) as error:
        evaluate(template, {})
    assert error.value.reason == "InvalidJSONPath"
    assert wrong in error.value.message
