"""Which representation a caller accepts (RFC 9110, section 12). Pure."""

from __future__ import annotations

from collections.abc import Sequence

from qtasks.errors import InvalidInput


def media_type(header: str | None) -> str:
    """The type of a Content-Type header, in small letters and without its parameters."""
    return (header or "").partition(";")[0].strip().lower()


def choose(accept: str | None, offers: Sequence[str]) -> str:
    """The offer that an Accept header likes best, the first among equals. Raises InvalidInput (`NotAcceptable`)."""
    if not accept or not accept.strip():
        return offers[0]
    ranges = [_range(part) for part in accept.split(",") if part.strip()]
    liked = [(offer, _quality(offer, ranges)) for offer in offers]
    best = max(quality for _, quality in liked)
    if best <= 0:
        raise InvalidInput(
            f"None of what is asked for can be given: {accept[:200]}.",
            reason="NotAcceptable",
            hint=f"There are {', '.join(offers)}.",
        )
    return next(offer for offer, quality in liked if quality == best)


def _range(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = 1.0
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                quality = min(max(float(parameter[2:]), 0.0), 1.0)
            except ValueError:
                quality = 0.0
    return name, quality


def _quality(offer: str, ranges: Sequence[tuple[str, float]]) -> float:
    """What the most specific range says that fits."""
    whole = offer.partition("/")[0] + "/*"
    for name in (offer, whole, "*/*"):
        for given, quality in ranges:
            if given == name:
                return quality
    return 0.0
