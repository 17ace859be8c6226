"""The broker: whether Redis answers, forgets nothing, keeps what it has, and tells the same time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import redis

from qtasks.client.checks.clock import skewed
from qtasks.client.checks.finding import Finding, Found, Mark, absent, ok, warn
from qtasks.errors import InvalidInput, Unavailable
from qtasks.settings import Settings

_SECONDS = 5.0
_OLDEST = (6, 2)
"""The oldest Redis that this is known to work with."""


def broker(settings: Settings) -> Found:
    """Whether Redis answers; its release, memory, persistence and clock."""
    if settings.embedded and not settings.redis_socket.exists():
        detail = f"embedded, not running; it starts with the first command that needs it (home {settings.home_path})"
        yield absent("broker", detail)
        return
    try:
        client = redis.Redis.from_url(settings.broker, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS)
    except ValueError:
        raise InvalidInput(
            "QTASKS_BROKER_URL is no address of a Redis.",
            reason="InvalidSettings",
            hint="It looks like redis://:password@host:6379/0.",
        ) from None
    try:
        began = time.monotonic()
        client.ping()
        took = time.monotonic() - began
        info: dict[str, Any] = client.info()
        before = datetime.now(UTC)
        seconds, micros = client.time()
        after = datetime.now(UTC)
    except redis.AuthenticationError:
        raise _away("it refuses the user or the password", "Correct QTASKS_BROKER_URL.") from None
    except redis.RedisError as error:
        raise _away(str(error).rstrip("."), "Start it, or correct QTASKS_BROKER_URL.") from None
    finally:
        client.close()
    yield _release(info, took)
    yield from _memory(info)
    if not settings.embedded:
        yield _persistence(info)
    theirs = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=micros)
    yield skewed("clock: broker", theirs, before, after)


def _away(why: str, hint: str) -> Unavailable:
    return Unavailable(f"Redis does not answer: {why}.", reason="BrokerUnavailable", hint=hint)


def _release(info: Mapping[str, Any], took: float) -> Finding:
    # Valkey tells the release of Redis that it stands in for, too.
    spoken = str(info.get("redis_version", "0"))
    name = f"{info.get('server_name') or 'redis'} {info.get('valkey_version') or spoken}"
    detail = f"{name}, answers in {took * 1e3:.1f} ms"
    if tuple(int(part) for part in spoken.split(".")[:2] if part.isdigit()) < _OLDEST:
        return warn("broker", detail, "Use Redis 6.2 or newer, or Valkey.", "BrokerTooOld")
    return ok("broker", detail)


def _memory(info: Mapping[str, Any]) -> Iterator[Finding]:
    policy, limit = str(info.get("maxmemory_policy", "unknown")), int(info.get("maxmemory", 0))
    used = int(info.get("used_memory", 0))
    room = f"{used / 2**20:.0f} MiB of {limit / 2**20:.0f}" if limit else f"{used / 2**20:.0f} MiB, without a limit"
    detail = f"{room}; maxmemory-policy {policy}"
    hint = "Set maxmemory-policy noeviction in its configuration."
    if policy not in ("noeviction", "unknown"):
        # It evicts nothing before there is a limit; somebody may set one.
        mark = Mark.FAIL if limit else Mark.WARN
        yield Finding("broker memory", mark, f"{detail}: it may drop what is queued", hint, "BrokerEvicts")
    elif limit and used > 0.9 * limit:
        yield warn("broker memory", detail, "Give it more memory: it refuses messages when it is full.", "BrokerFull")
    else:
        yield ok("broker memory", detail)


def _persistence(info: Mapping[str, Any]) -> Finding:
    if int(info.get("loading", 0)):
        return warn("broker persistence", "it reads what it kept, and does not serve yet", "Wait.", "BrokerLoading")
    if int(info.get("aof_enabled", 0)):
        if info.get("aof_last_write_status", "ok") != "ok":
            hint = "See whether its disk is full."
            return Finding("broker persistence", Mark.FAIL, "it cannot write its append-only file", hint, "BrokerDisk")
        return ok("broker persistence", "append-only file")
    if info.get("rdb_last_bgsave_status", "ok") != "ok":
        hint = "See whether its disk is full."
        return Finding("broker persistence", Mark.FAIL, "its latest snapshot failed", hint, "BrokerDisk")
    detail = "no append-only file: when it restarts, what was queued waits for the reconciler"
    return warn("broker persistence", detail, "Set appendonly yes.", "BrokerForgets")
