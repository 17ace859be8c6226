"""Where an account's services are: the API, IAM, the global search and the global catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

PUBLIC = "https://cloud.ibm.com"
_IBM = "cloud.ibm.com"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Base addresses, without a slash at the end."""

    api: Callable[[str], str]
    """The API that serves the instance with this CRN: each region has its own."""
    iam: str
    search: str
    catalogue: str


def addresses(endpoint: str | None, environment: Mapping[str, str], *, private: bool = False) -> Addresses:
    """The services of an account whose endpoint, if it has one, is the API's own address.

    An endpoint that is not IBM's is taken for a gateway: IAM, search and catalogue are looked for on the same host, so
    that accounts with different endpoints get along in one process. Without one, and for IBM's own private endpoints,
    the library's environment variables (`QISKIT_IBM_URL`, `IAM_URL`, `GLOBAL_SEARCH_URL`, `GLOBAL_CATALOG_URL`) and
    its way of making the API's address from a CRN hold; `private` asks for IBM's private network.
    """
    url = endpoint or environment.get("QISKIT_IBM_URL") or PUBLIC
    parts = urlsplit(url)
    host = parts.hostname or ""
    if endpoint and not (host == _IBM or host.endswith(f".{_IBM}")):
        origin = f"{parts.scheme}://{parts.netloc}"
        path = parts.path.rstrip("/") or "/api/v1"
        return Addresses(lambda crn: origin + path, origin, origin, f"{origin}/api/v1")
    prefix = "private." if private or host.startswith("private.") else ""
    cloud = "test.cloud.ibm.com" if "test" in host.split(".") else _IBM
    given = url.rstrip("/") if endpoint and parts.path.strip("/") else ""
    return Addresses(
        lambda crn: given or _resolved(url, crn, private),
        environment.get("IAM_URL", f"https://{prefix}iam.{cloud}").rstrip("/"),
        environment.get("GLOBAL_SEARCH_URL", f"https://api.global-search-tagging.{cloud}").rstrip("/"),
        environment.get("GLOBAL_CATALOG_URL", f"https://globalcatalog.{cloud}/api/v1").rstrip("/"),
    )


def _resolved(url: str, crn: str, private: bool) -> str:
    from qiskit_ibm_runtime.api.utils import default_runtime_url_resolver

    return str(default_runtime_url_resolver(url, crn, private))
