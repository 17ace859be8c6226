"""The way to the queue over its own database, broker and object store."""

from qtasks.client.direct.direct import Direct
from qtasks.client.direct.installation import Installation

__all__ = ["Direct", "Installation"]
