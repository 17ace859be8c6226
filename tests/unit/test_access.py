"""Who may do what: roles, the right to urgent, quotas, tokens, and the sentences of those who may not."""

from __future__ import annotations

import logging
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from qtasks.access import (
    EVERYWHERE,
    LEAST,
    LOCAL,
    Binding,
    Caller,
    Role,
    Verb,
    decide,
    decide_binding,
    digest,
    is_prefix,
    is_token,
    limits_of,
    new_token,
    refused,
    within,
)
from qtasks.access.rules import OWN, WORDS
from qtasks.config import Config, Tenant
from qtasks.errors import InvalidInput
from qtasks.settings import Settings
from qtasks.store.tenants import Limits, Used

ROLES = st.sampled_from(list(Role))
VERBS = st.sampled_from(list(Verb))
NAMESPACES = st.sampled_from(["lab", "physics", EVERYWHERE])
BINDINGS = st.builds(Binding, NAMESPACES, ROLES, st.booleans())
CALLERS = st.builds(lambda bindings: Caller("alice", tuple(bindings)), st.lists(BINDINGS, max_size=4))


def alice(*bindings: Binding) -> Caller:
    return Caller("alice", bindings)


def test_every_verb_has_a_least_role_and_words() -> None:
    assert set(LEAST) == set(WORDS) == set(Verb)


@given(CALLERS, VERBS, st.sampled_from(["lab", "physics", "elsewhere"]), st.booleans())
def test_nothing_is_allowed_without_a_role_there_or_everywhere(
    caller: Caller, verb: Verb, namespace: str, own: bool
) -> None:
    bound = [binding for binding in caller.bindings if binding.namespace in (namespace, EVERYWHERE)]
    decision = decide(caller, verb, namespace, own=own)
    least = OWN.get(verb, LEAST[verb]) if own else LEAST[verb]
    assert decision.allowed == any(binding.role.rank >= least.rank for binding in bound)
    assert decision.reason == ("Allowed" if decision.allowed else "Forbidden")


@given(CALLERS, VERBS, BINDINGS)
def test_one_more_binding_takes_nothing_away(caller: Caller, verb: Verb, more: Binding) -> None:
    wider = Caller(caller.name, (*caller.bindings, more))
    for namespace in ("lab", "physics", None):
        if decide(caller, verb, namespace).allowed:
            assert decide(wider, verb, namespace).allowed


@given(CALLERS, VERBS)
def test_the_namespaces_of_a_verb_are_those_where_it_is_allowed(caller: Caller, verb: Verb) -> None:
    found = caller.namespaces(verb)
    for namespace in ("lab", "physics", "elsewhere"):
        assert decide(caller, verb, namespace).allowed == (found is None or namespace in found)
    assert decide(caller, verb, None).allowed == (found is None)


def test_each_role_may_what_the_one_before_it_may_and_more() -> None:
    able = [{verb for verb in Verb if decide(alice(Binding("lab", role)), verb, "lab").allowed} for role in list(Role)]
    assert all(less < more for less, more in pairwise(able))
    assert Verb.SUBMIT not in able[0] and Verb.RESULTS in able[0]
    assert able[-1] == set(Verb)


def test_a_submitter_cancels_its_own_jobs_and_no_others() -> None:
    caller = alice(Binding("lab", Role.SUBMITTER))
    assert decide(caller, Verb.CANCEL, "lab", own=True).allowed
    decision = decide(caller, Verb.CANCEL, "lab")
    assert decision.message == (
        "alice may not cancel jobs of others in namespace lab: that takes an operator, and alice is submitter there."
    )
    assert decision.hint == "Ask an admin: `qtasks auth bind alice --role operator -n lab`."
    assert decide(alice(Binding("lab", Role.OPERATOR)), Verb.CANCEL, "lab").allowed


def test_who_has_no_role_in_a_namespace_is_told_so() -> None:
    error = refused(decide(alice(Binding("lab", Role.ADMIN)), Verb.SUBMIT, "physics"))
    assert str(error) == (
        "alice may not submit jobs in namespace physics: that takes a submitter, and alice has no role there. "
        "Ask an admin: `qtasks auth bind alice --role submitter -n physics`."
    )
    assert error.reason == "Forbidden"
    everywhere = decide(alice(Binding("lab", Role.ADMIN)), Verb.PRINCIPALS, None)
    assert everywhere.message.startswith("alice may not manage principals in all namespaces: that takes an admin")
    assert everywhere.hint.endswith("-n '*'`.")


def test_urgent_is_a_right_of_its_own() -> None:
    admin = alice(Binding("lab", Role.ADMIN))
    decision = decide(admin, Verb.SUBMIT, "lab", urgent=True)
    assert (decision.allowed, decision.reason) == (False, "UrgentNotAllowed")
    assert "--role admin -n lab --urgent" in decision.hint
    assert decide(alice(Binding("lab", Role.SUBMITTER, urgent=True)), Verb.SUBMIT, "lab", urgent=True).allowed
    # The right alone submits nothing.
    viewer = alice(Binding("lab", Role.VIEWER, urgent=True))
    assert decide(viewer, Verb.SUBMIT, "lab", urgent=True).reason == "Forbidden"
    assert decide(LOCAL, Verb.SUBMIT, "lab", urgent=True).allowed


def test_a_namespaces_admin_binds_roles_there_but_not_the_right_to_urgent() -> None:
    admin = alice(Binding("lab", Role.ADMIN, urgent=True))
    assert decide_binding(admin, "lab", urgent=False).allowed
    assert decide_binding(admin, "lab", urgent=True).reason == "UrgentNotAllowed"
    assert decide_binding(admin, "physics", urgent=False).reason == "Forbidden"
    assert decide_binding(admin, EVERYWHERE, urgent=False).reason == "Forbidden"
    assert decide_binding(alice(Binding(EVERYWHERE, Role.ADMIN)), "lab", urgent=True).allowed
    assert decide_binding(alice(Binding("lab", Role.OPERATOR)), "lab", urgent=False).reason == "Forbidden"


def test_the_local_user_may_everything() -> None:
    assert all(decide(LOCAL, verb, namespace).allowed for verb in Verb for namespace in ("lab", None))


@pytest.mark.parametrize(
    ("limits", "waiting", "shots", "said"),
    [
        (Limits("lab", waiting=10), 10, 10**9, None),
        (Limits("lab", waiting=10), 11, 0, "may have 10 jobs waiting: with these 2 it would have 11"),
        (Limits("lab", shots_per_day=1000), 10**6, 1000, None),
        (Limits("lab", shots_per_day=1000), 0, 1001, "1000 shots a day: with 501 more it would be 1001"),
        (Limits("lab", waiting=0), 1, 0, "may have 0 jobs waiting"),
        (Limits("lab"), 10**6, 10**12, None),
    ],
)
def test_a_quota_is_what_may_be_reached_and_not_passed(
    limits: Limits, waiting: int, shots: int, said: str | None
) -> None:
    decision = within(Used(limits, waiting, shots), jobs=2, shots=501)
    assert decision.allowed == (said is None)
    if said is not None:
        assert said in decision.message
        assert decision.reason == "QuotaExceeded"
        assert "QTASKS_CONFIG" in decision.hint


def test_limits_are_those_of_the_configuration() -> None:
    config = Config(tenants=({"namespace": "lab", "weight": 2, "concurrency": 3, "waiting": 4, "shotsPerDay": 5},))
    assert limits_of(config) == [Limits("lab", 2.0, 3, 4, 5)]
    assert limits_of(Config(tenants=(Tenant(namespace="lab"),))) == [Limits("lab")]


@pytest.mark.parametrize(
    ("tenant", "said"),
    [
        ({}, r"tenants\[0\].namespace: required"),
        ({"namespace": "Lab"}, "lower-case"),
        ({"namespace": "lab", "weight": 0}, "weight"),
        ({"namespace": "lab", "waiting": -1}, "waiting"),
        ({"namespace": "lab", "concurrency": 1.5}, "concurrency"),
        ({"namespace": "lab", "shots": 1}, "shots"),
    ],
)
def test_a_tenant_that_makes_no_sense_is_refused(tenant: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        Config(tenants=[tenant])


def test_two_tenants_of_one_namespace_are_refused() -> None:
    with pytest.raises(InvalidInput, match="two tenants called lab"):
        Config(tenants=[{"namespace": "lab"}, {"namespace": "lab"}])


def test_tokens_are_unguessable_and_told_apart_by_how_they_begin() -> None:
    tokens = [new_token() for _ in range(100)]
    assert len({token.text for token in tokens}) == len({token.prefix for token in tokens}) == 100
    for token in tokens:
        assert is_token(token.text) and is_prefix(token.prefix)
        assert len(token.digest) == 64 and token.digest == digest(token.text)
        assert token.text.startswith(token.prefix) and len(token.text) - len(token.prefix) >= 32
    assert not is_token(tokens[0].prefix) and not is_token("AKIAIOSFODNN7EXAMPLE") and not is_token("")


def test_a_token_is_in_no_repr_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    token = new_token()
    settings = Settings(api_token=SecretStr(token.text), broker_url="redis://127.0.0.1:1/0")
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").info("%r %s %r", token, settings, settings)
    shown = [repr(token), str(token), repr(settings), str(settings), settings.model_dump_json(), caplog.text]
    assert not any(token.text in text or token.text[12:24] in text for text in shown)
    assert token.text not in str(settings.environment())


def test_the_token_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QTASKS_API_TOKEN", "qtk_secret")
    found = Settings().api_token
    assert found is not None and found.get_secret_value() == "qtk_secret"
    monkeypatch.setenv("QTASKS_API_TOKEN", "")
    assert Settings().api_token is None
