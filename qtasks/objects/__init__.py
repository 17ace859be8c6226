"""Object storage: one protocol, a local folder, S3 and Google Cloud Storage; `open_store` picks by address."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from qtasks.errors import InvalidInput
from qtasks.objects.protocol import ObjectStore, Stored

__all__ = ["ObjectStore", "Stored", "open_store"]


def open_store(url: str) -> ObjectStore:
    """The store at `url`: `file:///folder`, `s3://bucket/prefix` or `gs://bucket/prefix`. Nothing is read or written
    until it is used.

    S3 takes its credentials, region and endpoint where boto3 finds them (`AWS_ENDPOINT_URL_S3` is honoured), Google's
    store where google.auth does (`STORAGE_EMULATOR_HOST` is honoured), never from the address. Raises InvalidInput
    (reason `InvalidObjectStoreUrl` or `UnsupportedObjectStore`); the address is not repeated in the message, since
    somebody may have put a password into it.
    """
    try:
        parts = urlsplit(url)
        has_credentials = parts.username is not None or parts.password is not None
    except ValueError:
        raise _wrong("cannot be read as an address") from None
    if has_credentials:
        raise _wrong("must not carry credentials")
    if parts.query or parts.fragment:
        raise _wrong("must not have a query or a fragment")
    if parts.scheme == "file":
        from qtasks.objects.local import LocalStore

        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
            raise _wrong("must name an absolute folder, as in file:///var/lib/qtasks")
        return LocalStore(unquote(parts.path))
    if parts.scheme == "s3":
        from qtasks.objects.s3 import S3Store

        return S3Store(parts.netloc, parts.path)
    if parts.scheme == "gs":
        from qtasks.objects.gcs import GCSStore

        return GCSStore(parts.netloc, parts.path)
    raise InvalidInput(
        "The object store's address has an unknown scheme.",
        reason="UnsupportedObjectStore",
        hint="Use file:///folder, s3://bucket/prefix or gs://bucket/prefix.",
    )


def _wrong(what: str) -> InvalidInput:
    return InvalidInput(
        f"The object store's address {what}.",
        reason="InvalidObjectStoreUrl",
        hint="Use file:///folder, s3://bucket/prefix or gs://bucket/prefix (QTASKS_OBJECT_STORE_URL).",
    )
