"""Which accounts a job may run under, and whose secret their credentials lie in."""

from __future__ import annotations

from typing import Any

import pytest

from qtasks.backends.accounts import account_called, accounts_for, secret_of
from qtasks.config import Account, Config, Plan
from qtasks.errors import Conflict, Forbidden, InvalidInput, NotFound, QTasksError
from qtasks.resources.backend import BackendType, JobBackend
from qtasks.resources.metadata import Credentials

CONFIG = Config.model_validate(
    {
        "accounts": [
            {"name": "open", "provider": "ibm_quantum", "credentials": {"secretRef": {"name": "ibm-open"}}},
            {
                "name": "physics",
                "provider": "ibm_quantum",
                "plan": "premium",
                "namespaces": ["physics"],
                "credentials": {"secretRef": {"name": "ibm-premium", "namespace": "operators"}},
            },
            {"name": "cloud", "provider": "aws_braket", "namespaces": ["physics", "chemistry"]},
            {
                "name": "theirs",
                "provider": "aws_braket",
                "namespaces": ["physics"],
                "credentials": {"secretRef": {"name": "aws", "namespace": "chemistry"}},
            },
        ]
    }
)
NOTHING = Config()


def found(
    provider: str = "ibm_quantum",
    *,
    account: str | None = None,
    secret: str | None = None,
    namespace: str = "default",
    embedded: bool = False,
    config: Config = CONFIG,
) -> list[Account]:
    credentials = None if secret is None else Credentials.model_validate({"secretRef": {"name": secret}})
    backend = JobBackend(type=provider, account=account)
    return accounts_for(config, backend, credentials, namespace=namespace, embedded=embedded)


def names(*args: Any, **options: Any) -> list[str]:
    return [account.name for account in found(*args, **options)]


def refusal(error: type[QTasksError], *args: Any, **options: Any) -> tuple[str, str]:
    """Reason and whole text of the refusal."""
    with pytest.raises(error) as refused:
        found(*args, **options)
    return refused.value.reason, str(refused.value) + str(refused.value.hint)


def test_a_job_that_names_none_may_run_under_every_account_of_its_provider_that_serves_its_namespace() -> None:
    assert names() == ["open"]
    assert names(namespace="physics") == ["open", "physics"]
    assert names("aws_braket", namespace="chemistry") == ["cloud"]


def test_a_job_runs_under_the_account_that_it_names() -> None:
    assert names(account="open", namespace="physics") == ["open"]
    assert names("aws_braket", account="cloud", namespace="chemistry") == ["cloud"]
    # What is named goes before a secret of one's own.
    assert names(account="open", secret="mine") == ["open"]


def test_an_account_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    reason, text = refusal(NotFound, account="gold", namespace="physics")
    assert reason == "NoSuchAccount"
    assert "open, physics, cloud, theirs" in text
    _, text = refusal(NotFound, account="gold", namespace="physics", config=NOTHING)
    assert "Accounts of physics: none" in text


def test_an_account_of_others_is_refused_and_not_listed() -> None:
    assert refusal(Forbidden, account="physics")[0] == "AccountForbidden"
    # It is forbidden whatever the job asks of it.
    assert refusal(Forbidden, "aws_braket", account="physics")[0] == "AccountForbidden"
    assert "physics, " not in refusal(NotFound, account="gold")[1]


def test_an_account_of_another_provider_is_refused() -> None:
    reason, text = refusal(InvalidInput, "aws_braket", account="open")
    assert reason == "WrongProvider"
    assert "one of ibm_quantum" in text and "asks for aws_braket" in text


@pytest.mark.parametrize("embedded", [False, True])
def test_no_account_for_a_namespace_is_refused_with_what_to_do(embedded: bool) -> None:
    # In the embedded stack too: an operator who names accounts decides who uses the provider.
    reason, text = refusal(InvalidInput, "aws_braket", embedded=embedded)
    assert reason == "NoAccount"
    assert "No account for aws_braket serves namespace default" in text and "QTASKS_CONFIG" in text


def test_the_embedded_stack_has_an_account_of_what_lies_in_the_user_s_environment() -> None:
    (ibm,) = found(embedded=True, config=NOTHING)
    (aws,) = found("aws_braket", embedded=True, config=NOTHING)
    assert (ibm.name, ibm.plan, ibm.credentials) == ("ibm-quantum", Plan.OPEN, None)
    assert (aws.name, aws.plan, aws.credentials) == ("aws-braket", Plan.PAY_AS_YOU_GO, None)
    assert refusal(InvalidInput, config=NOTHING)[0] == "NoAccount"
    # An account of one provider is none of the other's.
    ibm_only = Config(accounts=CONFIG.accounts[:2])
    assert names("aws_braket", embedded=True, config=ibm_only) == ["aws-braket"]


def test_a_secret_of_one_s_own_makes_an_account_of_one_s_own() -> None:
    (account,) = found(secret="mine", namespace="lab")
    assert (account.name, account.provider, account.plan) == (
        "ibm-quantum.lab.mine",
        BackendType.IBM_QUANTUM,
        Plan.OPEN,
    )
    assert secret_of(account) == ("lab", "mine")
    assert names("aws_braket", secret="mine", namespace="lab", config=NOTHING) == ["aws-braket.lab.mine"]


def test_a_secret_means_that_of_the_job_s_namespace_only() -> None:
    (account,) = found(secret="ibm-premium", namespace="lab")
    assert secret_of(account) == ("lab", "ibm-premium")
    # The names that such accounts get cannot be asked for.
    assert refusal(NotFound, account="operators.ibm-premium")[0] == "NoSuchAccount"


def test_the_secret_of_a_configured_account_is_that_account() -> None:
    assert names(secret="ibm-open") == ["open"]


@pytest.mark.parametrize("provider", ["ibm_quantum", "aws_braket"])
def test_the_secret_of_an_account_that_serves_others_is_refused(provider: str) -> None:
    reason, text = refusal(Forbidden, provider, secret="aws", namespace="chemistry")
    assert reason == "SecretReserved"
    assert "chemistry/aws" in text


def test_an_account_of_one_s_own_never_passes_for_a_configured_one() -> None:
    config = Config(accounts=(Account(name="ibm-quantum.lab.mine", provider="ibm_quantum", namespaces=("other",)),))
    reason, text = refusal(Conflict, secret="mine", namespace="lab", config=config)
    assert reason == "AccountNameTaken" and "ibm-quantum.lab.mine" in text


def test_the_account_of_a_row_is_found_again() -> None:
    brought: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("physics", "ibm_quantum", {}),
        ("physics", "aws_braket", {"account": "theirs"}),
        ("lab", "ibm_quantum", {"secret": "mine"}),
        ("lab", "aws_braket", {"secret": "my.aws.key"}),
    )
    for namespace, provider, options in brought:
        for account in found(provider, namespace=namespace, **options):
            assert account_called(CONFIG, account.name, provider) == account
    for provider in ("ibm_quantum", "aws_braket"):
        (account,) = found(provider, embedded=True, config=NOTHING)
        assert account_called(NOTHING, account.name, provider) == account


@pytest.mark.parametrize(("name", "provider"), [("open", "ibm_quantum"), ("aws-braket", "ibm_quantum")])
def test_an_account_that_is_not_in_the_file_any_more_is_said_to_be_missing(name: str, provider: str) -> None:
    with pytest.raises(NotFound, match=f"Account {name} is not in QTASKS_CONFIG any more") as refused:
        account_called(NOTHING, name, provider)
    assert refused.value.reason == "NoSuchAccount"


def test_an_account_without_credentials_has_no_secret() -> None:
    assert [secret_of(account) for account in CONFIG.accounts] == [
        ("default", "ibm-open"),
        ("operators", "ibm-premium"),
        None,
        ("chemistry", "aws"),
    ]
