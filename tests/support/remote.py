"""A stack with accounts at the loopback providers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.servers import Postgres, Redis
from tests.support.stack import Stack, shared_stack

SECRETS = "secrets"
CONFIG = "config.yaml"


def write_accounts(
    folder: Path, *accounts: Mapping[str, Any], secrets: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """QTASKS_CONFIG with `accounts` and a secret of namespace default for each of `secrets`; returns the settings."""
    for name, values in secrets.items():
        place = folder / SECRETS / "default" / name
        place.mkdir(parents=True, exist_ok=True)
        for key, value in values.items():
            (place / key).write_text(value + "\n")
    config = folder / CONFIG
    config.write_text(json.dumps({"accounts": [dict(account) for account in accounts]}))
    return {"config": config, "secrets_dir": folder / SECRETS}


def account(name: str, secret: str, values: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """An account as QTASKS_CONFIG has it, with limits that no test has to wait for."""
    return {
        "name": name,
        "credentials": {"secretRef": {"name": secret}},
        "limits": {"submissionsPerMinute": 6000, "burst": 1000},
        **values,
        **more,
    }


@contextmanager
def remote_stack(
    folder: Path, postgres: Postgres, redis_server: Redis, database: int, *, pollers: int = 1, **values: Any
) -> Iterator[Stack]:
    """A shared stack that looks at its providers all the time. Its processes: a worker, a poller, beat."""
    quick = {"poll_seconds": 0.3, "poll_longest_seconds": 2.0, "reconcile_seconds": 1.0}
    with shared_stack(folder, postgres, redis_server, database, **(quick | values)) as stack:
        stack.worker("polling", concurrency=pollers)
        stack.run("beat")
        yield stack
