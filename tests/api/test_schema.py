"""Schemathesis over the whole schema, as several callers: no 500, and no answer that the schema does not tell of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import from_schema
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished

from tests.api.conftest import Scene

pytestmark = [
    pytest.mark.system,
    # Of its own generators, which are nothing of ours.
    pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:schemathesis.*"),
]

# What a document may be is more than its schema can say: which fields go together, that a budget limits something.
_DOCUMENTS = ["2xx", "3xx", "401", "403", "404", "409", "413", "422"]
# So it is with a job that has no output to be delivered to again.
_WITH_RULES = ["submit", "estimate", "applyBudget", "applySession", "applyBackend", "redeliver"]
# A session that is deleted is there until its jobs are final, and can be looked at.
_OUTLIVES = ["getSession", "deleteSession"]
# A job may be called `cancel`, `phases` or `queues`, and looked at under that name: a GET of these paths is another
# operation's, and Allow is right to name it.
_SHARED_PATHS = ["cancelJobs", "phasesOfJobs", "queuesOfJobs"]


for _media_type in ("application/x-qasm", "application/x-qpy", "text/plain"):

    @schemathesis.serializer(_media_type)
    def _circuit(_context: Any, value: Any) -> bytes:
        return value if isinstance(value, bytes) else str(value).encode(errors="replace")


def _failures(scene: Scene, who: str, seconds: int, examples: int, seed: int) -> Iterator[str]:
    config = SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "max-time": seconds,
            "continue-on-failure": True,
            "headers": scene.api.headers(who),
            "request-timeout": 70,
            # Otherwise it waits, most of the time.
            "parameters": {"query.wait": 0},
            "generation": {"max-examples": examples, "database": "none"},
            "operations": [
                *(
                    {
                        "include-operation-id": name,
                        "checks": {"positive_data_acceptance": {"expected-statuses": _DOCUMENTS}},
                    }
                    for name in _WITH_RULES
                ),
                *(
                    {"include-operation-id": name, "checks": {"use_after_free": {"enabled": False}}}
                    for name in _OUTLIVES
                ),
                *(
                    {"include-operation-id": name, "checks": {"allow_header_conformance": {"enabled": False}}}
                    for name in _SHARED_PATHS
                ),
            ],
        }
    )
    schema = schemathesis.openapi.from_url(f"{scene.api.url}/openapi.json", config=config)
    tested = set()
    for event in from_schema(schema).execute():
        if isinstance(event, FatalError):
            raise event.exception
        if isinstance(event, NonFatalError):
            yield f"{event.label}: {event.value}"
        if isinstance(event, ScenarioFinished):
            tested.add(event.recorder.label)
            yield from (
                f"{event.recorder.label}: {check.name}: {check.failure_info.failure}\n{check.failure_info.code_sample}"
                for checks in event.recorder.checks.values()
                for check in checks
                if check.failure_info is not None
            )
    assert len(tested) > 30, tested


def _none(failures: Iterator[str]) -> None:
    found = sorted(set(failures))
    assert not found, "\n\n".join(found[:20])


def test_schemathesis_finds_no_500_and_no_undocumented_answer(scene: Scene) -> None:
    _none(_failures(scene, "root", 20, 10, seed=1))


@pytest.mark.long
@pytest.mark.parametrize("who", ["root", "alice", "victor"])
def test_schemathesis_finds_none_in_a_long_run_either(scene: Scene, who: str) -> None:
    for seed in range(2):
        _none(_failures(scene, who, 110, 200, seed))
