"""The embedded default: the servers and processes that a first `Client()` needs, in one folder, without set-up."""

from qtasks.embedded.home import Presence, join, running, stop

__all__ = ["Presence", "join", "running", "stop"]
