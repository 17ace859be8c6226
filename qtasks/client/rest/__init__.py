"""The way to the queue over HTTP."""

from qtasks.client.rest.rest import Rest

__all__ = ["Rest"]
