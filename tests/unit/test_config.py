"""`QTASKS_CONFIG`: what an operator may write, and what is said of what is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtasks.config import Account, Config, Plan, load_config
from qtasks.errors import InvalidInput
from qtasks.resources.retention import Kept

FULL = """
accounts:
  - name: lab-open
    provider: ibm_quantum
    allowance: {quantumSeconds: 300, days: 7}
    credentials: {secretRef: {name: ibm-lab}}
    namespaces: [default, physics]
    instance: "crn:v1:bluemix:public:quantum-computing:us-east:a/1:2::"
    endpoint: https://quantum.example/api/v1
  - name: lab-paid
    provider: ibm_quantum
    plan: pay-as-you-go
    limits: {submissionsPerMinute: 2.5, burst: 3, pendingJobs: 10}
  - name: braket
    provider: aws_braket
    credentials: {secretRef: {name: aws, namespace: operators}}
    region: us-east-1
    bucket: s3://results/qtasks
backends:
  - name: our-device
    configuration: /etc/qtasks/our-device.configuration.json
    properties: /etc/qtasks/our-device.properties.json
"""


def load(folder: Path, text: str) -> Config:
    file = folder / "config.yaml"
    file.write_text(text)
    return load_config(file)


def test_all_that_may_be_written(tmp_path: Path) -> None:
    config = load(tmp_path, FULL)
    opened, paid, braket = config.accounts
    assert [account.name for account in config.accounts] == ["lab-open", "lab-paid", "braket"]
    assert (opened.plan, paid.plan, braket.plan) == (Plan.OPEN, Plan.PAY_AS_YOU_GO, Plan.PAY_AS_YOU_GO)
    assert opened.effective_allowance is not None and opened.effective_allowance.quantum_seconds == 300
    assert paid.effective_limits.pending_jobs == 10
    assert braket.credentials is not None and braket.credentials.secret_ref.namespace == "operators"
    assert config.backends[0].configuration == Path("/etc/qtasks/our-device.configuration.json")
    assert config.account("braket") is braket and config.account("other") is None


def test_without_a_file_there_are_no_accounts(tmp_path: Path) -> None:
    assert load_config(None) == load(tmp_path, "") == load(tmp_path, "{}") == Config()


def test_an_ibm_account_is_on_the_open_plan_with_ten_minutes_in_twenty_eight_days() -> None:
    account = Account(name="a", provider="ibm_quantum")
    allowance = account.effective_allowance
    assert account.plan is Plan.OPEN and allowance is not None
    assert (allowance.quantum_seconds, allowance.days) == (600, 28)
    assert Account(name="a", provider="ibm_quantum", plan="premium").effective_allowance is None
    assert Account(name="a", provider="aws_braket").effective_allowance is None


def test_limits_are_the_providers_where_none_are_given() -> None:
    ibm, braket = (Account(name="a", provider=provider) for provider in ("ibm_quantum", "aws_braket"))
    assert (ibm.effective_limits.submissions_per_minute, ibm.effective_limits.pending_jobs) == (5, None)
    assert braket.effective_limits.submissions_per_minute == 300


def test_an_account_serves_its_namespaces_and_one_without_any_serves_all(tmp_path: Path) -> None:
    opened, paid, _ = load(tmp_path, FULL).accounts
    assert opened.serves("physics") and not opened.serves("chemistry")
    assert paid.serves("chemistry")
    assert not Account(name="a", provider="ibm_quantum", namespaces=()).serves("default")


def test_an_accounts_secret_is_nobody_elses(tmp_path: Path) -> None:
    config = load(tmp_path, FULL)
    assert config.reserves(namespace="default", name="ibm-lab")
    assert config.reserves(namespace="operators", name="aws")
    assert not config.reserves(namespace="default", name="aws")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("accounts: [{name: a, provider: local_simulator}]", "local_simulator needs no account"),
        ("accounts: [{name: a, provider: ibm}]", "ibm_quantum"),
        ("accounts: [{name: a}]", r"accounts\[0\].provider: required"),
        ("accounts: [{name: A_b, provider: ibm_quantum}]", "lower-case"),
        ("accounts: [{name: a, provider: ibm_quantum, plan: gold}]", "premium"),
        ("accounts: [{name: a, provider: ibm_quantum, token: x}]", "token"),
        ("accounts: [{name: a, provider: ibm_quantum, credentials: {token: x}}]", "secretRef"),
        ("accounts: [{name: a, provider: ibm_quantum, allowance: {quantumSeconds: -1}}]", "quantumSeconds"),
        ("accounts: [{name: a, provider: ibm_quantum, allowance: {quantumSeconds: 1, days: 0}}]", "days"),
        ("accounts: [{name: a, provider: ibm_quantum, limits: {submissionsPerMinute: 0}}]", "submissionsPerMinute"),
        ("accounts: [{name: a, provider: ibm_quantum}, {name: a, provider: aws_braket}]", "two accounts called a"),
        ("accounts: {name: a}", "a list"),
        ("backends: [{name: a, configuration: x.json}]", r"backends\[0\].properties: required"),
        (
            "backends: [{name: a, configuration: x, properties: y}, {name: a, configuration: x, properties: y}]",
            "two backends called a",
        ),
        ("backends: [{name: a, type: ibm_quantum, configuration: x, properties: y}]", "ibm_simulator"),
        ("[1, 2]", "a mapping"),
        ("accounts: [", "line"),
        ("accounts: []\n---\naccounts: []", "2 documents"),
        ("account: []", "accounts"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=said) as refused:
        load(tmp_path, text)
    assert refused.value.reason == "InvalidConfig"
    assert str(tmp_path / "config.yaml") in refused.value.message


@pytest.mark.parametrize(
    "account",
    [
        "token: Zm9vYmFy",
        "credentials: Zm9vYmFy",
        "credentials: {token: Zm9vYmFy}",
        "credentials: {secretRef: {name: ibm, token: Zm9vYmFy}}",
        "credentials: {secretRef: Zm9vYmFy}",
    ],
)
def test_a_secret_that_does_not_belong_there_is_not_repeated(account: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        load(tmp_path, f"accounts: [{{name: a, provider: ibm_quantum, {account}}}]")
    error = refused.value
    assert "Zm9vYmFy" not in f"{error} {error.details} {error.__cause__!r} {error.__context__!r}"


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        load(tmp_path, "accounts: [{name: a}, {name: b, provider: x, plan: y}]")
    assert all(path in refused.value.message for path in ("[0].provider", "[1].provider", "[1].plan"))


def test_a_file_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file") as refused:
        load_config(tmp_path / "nowhere.yaml")
    assert refused.value.reason == "InvalidConfig"


def test_a_file_that_is_no_text_is_told_as_such(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(b"accounts: \xff\xfe")
    with pytest.raises(InvalidInput) as refused:
        load_config(file)
    assert refused.value.reason == "InvalidConfig"


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    first = load(tmp_path, "accounts: [{name: a, provider: ibm_quantum}]")
    file = tmp_path / "config.yaml"
    assert load_config(file) is first
    file.write_text("accounts: [{name: b, provider: ibm_quantum}]")
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))
    assert [account.name for account in load_config(file).accounts] == ["b"]


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.yaml"
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            load_config(file)
        except InvalidInput as error:
            assert error.reason == "InvalidConfig"


def test_what_is_said_of_a_namespace_counts_before_what_is_said_of_all(tmp_path: Path) -> None:
    text = """
retention: {jobs: 90d, events: 30d, audit: 365d}
tenants:
  - {namespace: lab, retention: {jobs: 30d, objects: 12h, audit: forever}}
  - {namespace: archive, retention: {jobs: forever}}
  - {namespace: plain, weight: 2}
"""
    config, day = load(tmp_path, text), 86_400.0
    assert config.kept("lab") == Kept(jobs=30 * day, events=30 * day, objects=day / 2, audit=None)
    assert config.kept("archive") == Kept(jobs=None, events=30 * day, objects=None, audit=365 * day)
    assert config.kept("plain") == config.kept("other") == config.kept(None)
    assert config.kept(None) == Kept(jobs=90 * day, events=30 * day, objects=90 * day, audit=365 * day)
    assert Config().kept("any") == Kept()


def test_the_longest_that_any_namespace_keeps_objects(tmp_path: Path) -> None:
    day = 86_400.0
    for text, longest in [
        ("{}", None),
        ("retention: {objects: 3d}", 3 * day),
        ("retention: {jobs: 2d, objects: 3d}", 2 * day),
        ("retention: {jobs: 2d}\ntenants:\n  - {namespace: lab, retention: {jobs: 5d}}", 5 * day),
        ("retention: {jobs: 2d}\ntenants:\n  - {namespace: lab, retention: {jobs: forever}}", None),
        ("tenants:\n  - {namespace: lab, retention: {jobs: 2d}}", None),
    ]:
        assert load(tmp_path, text).longest_objects() == longest, text


@pytest.mark.parametrize("written", ["0d", "-1d", "soon", "'0'", "''", "true", "[1d]", "never"])
def test_a_length_of_time_that_is_none_is_refused(written: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"retention\.jobs.*more than zero seconds.*forever"):
        load(tmp_path, f"retention: {{jobs: {written}}}")
