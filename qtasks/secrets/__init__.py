"""Secrets: a folder of files, or a cluster's. A reader asks for one by its name; nobody lists them."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from qtasks.errors import InvalidInput
from qtasks.secrets.protocol import Secret

if TYPE_CHECKING:
    from qtasks.settings import Settings

__all__ = ["Secret", "in_cluster", "read_secret"]

_NAME = re.compile(r"(?!.*\.\.)[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def in_cluster(settings: Settings) -> bool:
    """Whether secrets are those of a cluster: no folder was set for them, and this is a pod or KUBECONFIG is set.

    A kubeconfig that merely lies in the user's home says nothing about where the secrets of qtasks are.
    """
    from qtasks import cluster

    return settings.secrets_dir is None and (cluster.in_pod() or bool(os.environ.get("KUBECONFIG")))


def read_secret(settings: Settings, *, namespace: str, name: str) -> Secret:
    """The secret `name` of a namespace; the caller passes the job's own namespace, never one that a user wrote.

    Raises NotFound (`SecretNotFound`), Forbidden (`SecretNotReadable`), InvalidInput (`InvalidSecret`) or Unavailable
    (`SecretUnavailable`: the cluster does not answer).
    """
    if not _NAME.fullmatch(namespace) or not _NAME.fullmatch(name):
        raise InvalidInput(f"{f'{namespace}/{name}'[:80]!r} is not the name of a secret.", reason="InvalidSecret")
    if in_cluster(settings):
        from qtasks.secrets.cluster import read_from_cluster

        return read_from_cluster(namespace, name)
    from qtasks.secrets.folder import read_from_folder

    return read_from_folder(settings.secrets, namespace, name)
