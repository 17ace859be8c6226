"""Alerts of budgets: what they say, how they are sent by e-mail and to webhooks, and how a status shows them."""

from __future__ import annotations

from qtasks.alerts.sending import send
from qtasks.alerts.status import status

__all__ = ["send", "status"]
