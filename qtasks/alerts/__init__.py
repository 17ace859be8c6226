"""What people are told: alerts of budgets by e-mail and to webhooks, and the ends of jobs to theirs."""

from __future__ import annotations

from qtasks.alerts.notices import tell
from qtasks.alerts.sending import send
from qtasks.alerts.status import status

__all__ = ["send", "status", "tell"]
