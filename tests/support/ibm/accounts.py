"""API keys, the tokens made from them, and instances: IBM's IAM, global search and global catalogue."""

from __future__ import annotations

import base64
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from tests.support.ibm.faults import Answer, refusal

DISPLAY_NAMES = {"open": "Open", "pay-as-you-go": "Pay-as-you-go", "flex": "Flex", "premium": "Premium"}
PRICING = {"open": "free", "pay-as-you-go": "paygo", "flex": "subscription", "premium": "subscription"}


@dataclass
class Instance:
    """A service instance; jobs and usage belong to it."""

    name: str
    plan: str = "open"
    crn: str = field(
        default_factory=lambda: (
            f"crn:v1:bluemix:public:quantum-computing:us-east:a/{secrets.token_hex(8)}:{secrets.token_hex(8)}::"
        )
    )
    consumed_seconds: float = 0.0
    allocation_seconds: float | None = 600.0

    @property
    def exhausted(self) -> bool:
        return self.allocation_seconds is not None and self.consumed_seconds >= self.allocation_seconds

    def usage(self) -> dict[str, Any]:
        return {
            "instance_id": self.crn,
            "plan_id": f"plan-{self.plan}",
            "usage_consumed_seconds": self.consumed_seconds,
            "usage_allocation_seconds": self.allocation_seconds,
            "usage_limit_reached": self.exhausted,
            "usage_period": {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-29T00:00:00Z"},
        }

    def found(self) -> dict[str, Any]:
        return {
            "crn": self.crn,
            "name": self.name,
            "service_plan_unique_id": f"plan-{self.plan}",
            "doc": {"extensions": {"backends": "all"}},
            "tags": [],
        }


class Tokens:
    """API keys that are known, and the access tokens given for them."""

    def __init__(self, key: str, seconds: float) -> None:
        self.keys = {key}
        self.seconds = seconds
        """How long an access token lives."""
        self.given = 0
        self.raw_keys_seen = 0
        """Requests that carried an API key where a token belongs."""
        self._expiry: dict[str, float] = {}

    def exchange(self, key: str) -> Answer:
        if key not in self.keys:
            message = "Provided API key could not be found."
            return Answer(400, {"errorCode": "BXNIM0415E", "errorMessage": message, "context": {}})
        now = time.time()
        token = _jwt({"iat": int(now), "exp": int(now + self.seconds), "jti": secrets.token_hex(8)})
        self._expiry[token] = now + self.seconds
        self.given += 1
        body = {
            "access_token": token,
            "refresh_token": "not_supported",
            "token_type": "Bearer",
            "expires_in": int(self.seconds),
            "expiration": int(now + self.seconds),
        }
        return Answer(200, body)

    def refuses(self, authorization: str) -> Answer | None:
        """The answer to a request whose token is not good."""
        kind, _, token = authorization.partition(" ")
        if kind.lower() == "apikey":
            self.raw_keys_seen += 1
        if kind == "Bearer" and self._expiry.get(token, 0.0) > time.time():
            return None
        return refusal(401, 1201, "Invalid credentials.")

    def expire(self) -> None:
        self._expiry.clear()


def catalogue_entry(plan: str) -> Answer:
    names = {"en": {"display_name": DISPLAY_NAMES.get(plan, plan)}}
    return Answer(200, {"overview_ui": names, "metadata": {"pricing": {"type": PRICING.get(plan, "paid")}}})


def _jwt(claims: dict[str, Any]) -> str:
    parts = (json.dumps({"alg": "RS256", "typ": "JWT"}).encode(), json.dumps(claims).encode(), secrets.token_bytes(16))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
