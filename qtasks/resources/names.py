"""Names and other short texts: their patterns, and the sentences that explain them."""

from __future__ import annotations

from typing import Annotated

from qtasks.resources.model import Text

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_ENDS = "starting and ending with a letter or digit"

SUBDOMAIN_PATTERN = rf"^{_SUBDOMAIN}$"

Name = Annotated[str, Text(SUBDOMAIN_PATTERN, 253, f'at most 253 lower-case letters, digits, "-" and ".", {_ENDS}')]
"""A DNS-1123 subdomain, as Kubernetes names objects."""

Namespace = Annotated[str, Text(rf"^{_LABEL}$", 63, f'at most 63 lower-case letters, digits and "-", {_ENDS}')]
"""A DNS-1123 label, as Kubernetes names namespaces."""

LabelKey = Annotated[
    str,
    Text(
        rf"^({_SUBDOMAIN}/)?{_QUALIFIED}$",
        317,
        f'an optional DNS prefix with "/", then at most 63 letters, digits, "-", "_" and ".", {_ENDS}',
    ),
]
LabelValue = Annotated[
    str, Text(rf"^({_QUALIFIED})?$", 63, f'text of at most 63 letters, digits, "-", "_" and ".", {_ENDS}')
]
FileKey = Annotated[str, Text(r"^[-._a-zA-Z0-9]+$", 253, 'at most 253 letters, digits, "-", "_" and "."')]
"""A key of a ConfigMap."""

Line = Annotated[
    str,
    Text(r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$", 512, "one line of text, at most 512 characters"),
]
# PostgreSQL cannot keep a NUL.
Note = Annotated[str, Text(r"^[^\x00]*$", 2**18, "text of at most 256 Ki characters (put it in quotes)")]
Email = Annotated[str, Text(r"^[^\s@,;<>]+@[^\s@,;<>]+$", 254, "one e-mail address")]
Sha256 = Annotated[str, Text(r"^[0-9a-fA-F]{64}$", 64, "64 hexadecimal digits")]
Commit = Annotated[str, Text(r"^[0-9a-fA-F]{7,64}$", 64, "7 to 64 hexadecimal digits")]
Branch = Annotated[str, Text(r"^[^-\s~^:?*\[\\][^\s~^:?*\[\\]*$", 244, "the name of a branch or tag")]

# No user and password in either: a resource is stored, and secrets never are.
Url = Annotated[str, Text(r"^https?://[^\s@/]+(/\S*)?$", 2048, "an https:// address without a password")]
Repository = Annotated[
    str,
    Text(
        r"^(https://[^\s@/]+/\S+|ssh://([A-Za-z0-9_.-]+@)?[A-Za-z0-9][^\s@/]*/\S+"
        r"|[A-Za-z0-9_.]+@[A-Za-z0-9][A-Za-z0-9.-]*:[^\s/-]\S*)$",
        2048,
        "an https:// or ssh:// address without a password",
    ),
]
