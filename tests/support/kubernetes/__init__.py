"""A stand-in for a cluster's API server: on a real socket, with what Kubernetes checks of objects and of who asks."""

from tests.support.kubernetes.access import ADMIN, Asked, Rule
from tests.support.kubernetes.server import ApiServer

__all__ = ["ADMIN", "ApiServer", "Asked", "Rule"]
