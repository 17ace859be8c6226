"""What a secret is, wherever it was read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from qtasks.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Secret:
    """The values of one secret, without the newlines at their ends; its repr shows none of them."""

    namespace: str
    name: str
    values: Mapping[str, str] = field(repr=False)


def as_text(namespace: str, name: str, values: Mapping[str, bytes]) -> Secret:
    """The secret of these bytes. Raises InvalidInput (`InvalidSecret`) where they are no text."""
    try:
        return Secret(namespace, name, {key: value.decode().rstrip("\r\n") for key, value in values.items()})
    except UnicodeDecodeError:
        raise InvalidInput(
            f"The secret {namespace}/{name} has a value that is not text.", reason="InvalidSecret"
        ) from None
