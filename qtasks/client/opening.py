"""Which way to the queue the settings ask for."""

from __future__ import annotations

from collections.abc import Callable

from qtasks.client.gateway import Gateway
from qtasks.settings import Settings
from qtasks.telemetry import traces


def open_gateway(config: Settings) -> tuple[Gateway, Callable[[], None]]:
    """The gateway that the settings ask for, and what else is to be closed with it. What is submitted through it is
    traced where they ask for that."""
    traces.start("client", config)
    if config.api_url:
        from qtasks.client.rest.rest import Rest

        return Rest(config), lambda: None
    from qtasks.client.direct import Direct, Installation

    installation = Installation.open(config)
    token = config.api_token.get_secret_value() if config.api_token is not None else None
    return Direct.of(installation, token), installation.close
