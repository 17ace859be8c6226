"""Watching the four kinds, by kopf: every change of a resource, and all of them at first."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence
from typing import Any

import kopf

from qtasks.cluster import configuration
from qtasks.errors import QTasksError
from qtasks.operator.api_server import UNREACHED
from qtasks.operator.crds import GROUP, VERSION
from qtasks.operator.kinds import PLURALS, Object

log = logging.getLogger(__name__)

Seen = Callable[[str, Object, bool], None]
"""Is told the plural and the resource of every change, and whether it has gone."""

_AGAIN_SECONDS = 1.0
_BACKOFFS = (0.2, 0.5, 1.0, 2.0)


async def watch(namespaces: Sequence[str], seen: Seen) -> None:
    """Watch until SIGTERM or SIGINT. An API server that goes away is waited for; `namespaces` empty: all."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    while True:
        try:
            await kopf.operator(
                registry=_registry(seen),
                settings=_settings(),
                standalone=True,
                clusterwide=not namespaces,
                namespaces=list(namespaces),
            )
        except Exception as error:
            # kopf gives up where a watch is refused, or answered with 5xx for long: none of this is for ever.
            log.warning("the watch was broken off (%s); it begins again", type(error).__name__)
        else:
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        try:
            await asyncio.wait_for(stopping.wait(), _AGAIN_SECONDS)
        except TimeoutError:
            continue
        return


def _registry(seen: Seen) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(_login)
    for plural in PLURALS:
        kopf.on.event(GROUP, VERSION, plural, registry=registry, id=f"see-{plural}")(_handler(plural, seen))
    return registry


def _handler(plural: str, seen: Seen) -> Any:
    async def see(event: Any, **_: Any) -> None:
        seen(plural, event["object"], event["type"] == "DELETED")

    return see


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    # What is to be looked at is known, so that no role for namespaces and definitions is needed.
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.networking.error_backoffs = _BACKOFFS
    settings.networking.connect_timeout = 3.0
    settings.process.ultimate_exiting_timeout = None
    return settings


def _login(**_: Any) -> kopf.ConnectionInfo:
    try:
        found = configuration(reason=UNREACHED)
    except QTasksError as error:
        raise kopf.LoginError(str(error)) from None
    header = found.get_api_key_with_prefix("BearerToken") or found.get_api_key_with_prefix("authorization") or ""
    scheme, token = header.rpartition(" ")[::2]
    return kopf.ConnectionInfo(
        server=found.host,
        ca_path=found.ssl_ca_cert,
        insecure=not found.verify_ssl,
        username=found.username or None,
        password=found.password or None,
        scheme=scheme or None,
        token=token or None,
        certificate_path=found.cert_file,
        private_key_path=found.key_file,
    )
