"""Who may do what: roles bound per namespace, and the one table of what each of them may. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

EVERYWHERE = "*"
"""The namespace of a binding that holds in all of them."""


class Role(StrEnum):
    """What a principal is in a namespace, the least first; each may what those before it may."""

    VIEWER = "viewer"
    SUBMITTER = "submitter"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        return list(Role).index(self)


class Verb(StrEnum):
    """What is asked to be done, as the audit trail calls it."""

    GET = "get"
    LIST = "list"
    RESULTS = "results"
    LOGS = "logs"
    ACCOUNTS = "accounts"
    COSTS = "costs"
    COLLECT = "collect"
    SUBMIT = "submit"
    ESTIMATE = "estimate"
    APPLY_SESSION = "apply-session"
    CANCEL = "cancel"
    REDELIVER = "redeliver"
    DELETE = "delete"
    DELETE_SESSION = "delete-session"
    APPLY_BACKEND = "apply-backend"
    DELETE_BACKEND = "delete-backend"
    RECOVER = "recover"
    APPLY_BUDGET = "apply-budget"
    DELETE_BUDGET = "delete-budget"
    BIND = "bind"
    AUDIT = "audit"
    PRINCIPALS = "principals"


LEAST: dict[Verb, Role] = {
    Verb.GET: Role.VIEWER,
    Verb.LIST: Role.VIEWER,
    Verb.RESULTS: Role.VIEWER,
    Verb.LOGS: Role.VIEWER,
    Verb.ACCOUNTS: Role.VIEWER,
    Verb.COSTS: Role.VIEWER,
    Verb.COLLECT: Role.VIEWER,
    Verb.SUBMIT: Role.SUBMITTER,
    Verb.ESTIMATE: Role.SUBMITTER,
    # A job may open a session without one being declared.
    Verb.APPLY_SESSION: Role.SUBMITTER,
    Verb.CANCEL: Role.OPERATOR,
    Verb.REDELIVER: Role.OPERATOR,
    Verb.DELETE: Role.OPERATOR,
    Verb.DELETE_SESSION: Role.OPERATOR,
    Verb.APPLY_BACKEND: Role.OPERATOR,
    Verb.DELETE_BACKEND: Role.OPERATOR,
    # It uses an account's credentials, and makes jobs that nobody submitted.
    Verb.RECOVER: Role.OPERATOR,
    # Whoever spends must not be who raises the limit.
    Verb.APPLY_BUDGET: Role.ADMIN,
    Verb.DELETE_BUDGET: Role.ADMIN,
    Verb.BIND: Role.ADMIN,
    Verb.AUDIT: Role.ADMIN,
    Verb.PRINCIPALS: Role.ADMIN,
}
"""The least role that each verb takes in the namespace."""

OWN: dict[Verb, Role] = dict.fromkeys((Verb.CANCEL, Verb.REDELIVER, Verb.DELETE), Role.SUBMITTER)
"""The least role for what the caller submitted itself."""

WORDS: dict[Verb, str] = {
    Verb.GET: "look at jobs",
    Verb.LIST: "list what is there",
    Verb.RESULTS: "read results",
    Verb.LOGS: "read logs",
    Verb.ACCOUNTS: "see accounts",
    Verb.COSTS: "see costs",
    Verb.COLLECT: "collect jobs",
    Verb.SUBMIT: "submit jobs",
    Verb.ESTIMATE: "estimate jobs",
    Verb.APPLY_SESSION: "declare sessions",
    Verb.CANCEL: "cancel jobs",
    Verb.REDELIVER: "have results delivered again",
    Verb.DELETE: "delete jobs",
    Verb.DELETE_SESSION: "delete sessions",
    Verb.APPLY_BACKEND: "register backends",
    Verb.DELETE_BACKEND: "delete backends",
    Verb.RECOVER: "adopt jobs of a provider",
    Verb.APPLY_BUDGET: "set budgets",
    Verb.DELETE_BUDGET: "delete budgets",
    Verb.BIND: "bind roles",
    Verb.AUDIT: "read the audit trail",
    Verb.PRINCIPALS: "manage principals",
}


@dataclass(frozen=True, slots=True)
class Binding:
    """A role in a namespace, or in all (`*`), and whether it comes with the right to priority urgent."""

    namespace: str
    role: Role
    urgent: bool = False

    def holds_in(self, namespace: str | None) -> bool:
        return self.namespace == EVERYWHERE or self.namespace == namespace


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and in which roles."""

    name: str
    bindings: tuple[Binding, ...] = ()
    principal: bool = True
    """False for the user of an embedded or a fresh installation, whose doings nobody writes down."""

    def role_in(self, namespace: str | None) -> Role | None:
        """The highest role in a namespace; for None, in all of them at once."""
        roles = [binding.role for binding in self.bindings if binding.holds_in(namespace)]
        return max(roles, key=lambda role: role.rank, default=None)

    def urgent_in(self, namespace: str) -> bool:
        return any(binding.urgent for binding in self.bindings if binding.holds_in(namespace))

    def namespaces(self, verb: Verb) -> tuple[str, ...] | None:
        """Where the caller may do this, in the order of their names; None for everywhere."""
        able = [binding.namespace for binding in self.bindings if binding.role.rank >= LEAST[verb].rank]
        return None if EVERYWHERE in able else tuple(sorted(set(able)))


LOCAL = Caller("local", (Binding(EVERYWHERE, Role.ADMIN, urgent=True),), principal=False)
"""The user of the embedded default, or of an installation without any principal."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What came of a question, as the audit trail keeps it."""

    allowed: bool
    reason: str = "Allowed"
    message: str = ""
    hint: str = ""


ALLOWED = Decision(True)


def decide(caller: Caller, verb: Verb, namespace: str | None, *, own: bool = False, urgent: bool = False) -> Decision:
    """Whether the caller may. `namespace` None: in all of them at once; `own`: what it is about was submitted by the
    caller; `urgent`: it is about priority urgent. Reasons: Allowed, Forbidden, UrgentNotAllowed."""
    role, least = caller.role_in(namespace), LEAST[verb]
    if own:
        least = OWN.get(verb, least)
    if role is None or role.rank < least.rank:
        return _lacks(caller, verb, namespace, role, least, own=own)
    if urgent and namespace is not None and not caller.urgent_in(namespace):
        return Decision(
            False,
            "UrgentNotAllowed",
            f"{caller.name} may not submit jobs of priority urgent in namespace {namespace}.",
            "Use priority high, or ask an admin of all namespaces for the right: "
            f"`qtasks auth bind {caller.name} --role {role} -n {namespace} --urgent`.",
        )
    return ALLOWED


def _lacks(caller: Caller, verb: Verb, namespace: str | None, role: Role | None, least: Role, *, own: bool) -> Decision:
    where = "all namespaces" if namespace is None else f"namespace {namespace}"
    has = f"is {role} there" if role is not None else "has no role there"
    article = "an" if least in (Role.ADMIN, Role.OPERATOR) else "a"
    what = WORDS[verb] + (" of others" if verb in OWN and not own else "")
    bound_in = f"'{EVERYWHERE}'" if namespace is None else namespace
    return Decision(
        False,
        "Forbidden",
        f"{caller.name} may not {what} in {where}: that takes {article} {least}, and {caller.name} {has}.",
        f"Ask an admin: `qtasks auth bind {caller.name} --role {least} -n {bound_in}`.",
    )


def decide_binding(caller: Caller, namespace: str, *, urgent: bool) -> Decision:
    """Whether the caller may bind and unbind roles in a namespace, or in all (`*`). Urgent work goes before everybody
    else's, so that right is given by an admin of all namespaces."""
    everywhere = decide(caller, Verb.BIND, None)
    if everywhere.allowed or namespace == EVERYWHERE:
        return everywhere
    inside = decide(caller, Verb.BIND, namespace)
    if not inside.allowed or not urgent:
        return inside
    return Decision(
        False,
        "UrgentNotAllowed",
        f"{caller.name} may not give the right to priority urgent: its jobs go before those of all namespaces.",
        "Ask an admin of all namespaces.",
    )
