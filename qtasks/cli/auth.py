"""The commands that say who may: auth whoami, create, token, bind, unbind, revoke, list, audit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from qtasks.cli import terminal
from qtasks.cli.options import seconds_of
from qtasks.cli.outputs import FORMATS, Document, listing, output
from qtasks.errors import InvalidInput

if TYPE_CHECKING:
    from qtasks.client.principals import Principals

auth = typer.Typer(
    help="Principals, their tokens and roles, and the audit trail.\n\nExample: `qtasks auth whoami`",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

_ROLES = "viewer, submitter, operator or admin"
PrincipalName = Annotated[str, typer.Argument(metavar="NAME", help="The principal.")]
Where = Annotated[
    str, typer.Option("--namespace", "-n", metavar="NAME", help="The namespace of the role; `*` for all.")
]
Form = Annotated[
    str | None, typer.Option("--output", "-o", metavar="FORMAT", help=f"{', '.join(FORMATS)}; a table when absent.")
]


def add_to(app: typer.Typer) -> None:
    """Put the commands on `app`."""
    for command in (whoami, create, token, bind, unbind, revoke, list_, audit):
        auth.command(name=command.__name__.rstrip("_"))(command)
    app.add_typer(auth, name="auth")


@contextmanager
def _principals() -> Iterator[Principals]:
    with terminal.client() as client:
        yield client.principals


def whoami(form: Form = None) -> None:
    """Show who you are, and your roles.

    Example: `qtasks auth whoami`
    """
    from qtasks.cli.auth_table import role

    chosen = output(form)
    with terminal.client() as client:
        found = {"kind": "Principal", **client.whoami()}
    if not chosen.tabular:
        terminal.put(chosen.text(found))
        return
    terminal.write(f"{found['name']}\n")
    terminal.write("".join(f"  {role(binding)}\n" for binding in found["bindings"]) or "  no role anywhere\n")


def create(name: PrincipalName) -> None:
    """Make a principal, without any role.

    The first of an installation becomes admin of all namespaces, and its token is printed at once: from then on nobody
    does anything without a token.

    Example: `qtasks auth create alice`
    """
    with _principals() as principals:
        made = principals.create(name)
    if made.token is None:
        terminal.write(f"principal/{made.name} created\n")
        return
    terminal.note(f"principal/{made.name} created: the first one, and admin of all namespaces.")
    _show(made.token)


def token(
    name: PrincipalName,
    expires: Annotated[
        str | None, typer.Option(metavar="DURATION", help="How long it is good for, such as 90d; for ever when absent.")
    ] = None,
) -> None:
    """Make a token for a principal, and print it: it is shown this once.

    Example: `qtasks auth token alice --expires 90d`
    """
    seconds = None if expires is None else seconds_of("--expires", expires)
    if seconds is not None and seconds <= 0:
        raise InvalidInput("--expires: more than no time is wanted.", reason="InvalidDuration")
    with _principals() as principals:
        text, _ = principals.token(name, expires_seconds=seconds)
    _show(text)


def _show(text: str) -> None:
    terminal.note("Put it into QTASKS_API_TOKEN; it is not shown again.")
    terminal.write(f"{text}\n")


def bind(
    name: PrincipalName,
    namespace: Where,
    role: Annotated[str, typer.Option(metavar="ROLE", help=f"{_ROLES}.")],
    urgent: Annotated[bool, typer.Option("--urgent", help="With the right to priority urgent.")] = False,
) -> None:
    """Give a principal a role in a namespace, in place of the one that it had there.

    Example: `qtasks auth bind alice --role submitter -n lab`
    """
    from qtasks.access import Role

    if role not in list(Role):
        raise InvalidInput(f'There is no role "{role}".', reason="NoSuchRole", hint=f"Roles: {_ROLES}.")
    with _principals() as principals:
        principals.bind(name, Role(role), namespace, urgent=urgent)
    terminal.write(f"principal/{name} is {role}@{namespace}{'+urgent' if urgent else ''}\n")


def unbind(name: PrincipalName, namespace: Where) -> None:
    """Take a principal's role in a namespace away.

    Example: `qtasks auth unbind alice -n lab`
    """
    with _principals() as principals:
        principals.unbind(name, namespace)
    terminal.write(f"principal/{name} unbound from {namespace}\n")


def revoke(
    prefix: Annotated[str, typer.Argument(metavar="TOKEN-PREFIX", help="How the token begins, as `list` shows it.")],
) -> None:
    """Make a token worthless, for good.

    Example: `qtasks auth revoke qtk_Wm3xK9pQ`
    """
    with _principals() as principals:
        gone = principals.revoke(prefix)
    terminal.write(f"token/{gone['prefix']} of principal/{gone['principal']} revoked\n")


def list_(form: Form = None) -> None:
    """List principals, their roles and how their tokens begin, as far as you may see them.

    Example: `qtasks auth list`
    """
    from qtasks.cli.ages import now
    from qtasks.cli.auth_table import principal_table

    chosen = output(form)
    with _principals() as principals:
        found = principals.list()
    if not chosen.tabular:
        terminal.put(chosen.text(listing(found)))
    elif found:
        terminal.show(principal_table(found, now=now(), width=terminal.width(terminal.console())))
    else:
        terminal.note("There are no principals: whoever reaches the database may do everything.")


def audit(
    since: Annotated[
        str, typer.Option(metavar="T", help="A date or time as ISO 8601 has it, in UTC, or an age such as 7d or 12h.")
    ] = "1d",
    principal: Annotated[str | None, typer.Option(metavar="NAME", help="Only what this one asked for.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most so many, the newest.")] = 1000,
    form: Form = None,
) -> None:
    """Show what was asked and decided, the newest last.

    Example: `qtasks auth audit --since 7d --principal alice`
    """
    from qtasks.cli.ages import now
    from qtasks.cli.auth_table import audit_table
    from qtasks.client.recovery import moment

    chosen, start = output(form), moment(since, now=now())
    with _principals() as principals:
        found: Sequence[Document] = principals.audit(since=start, principal=principal, limit=limit)[::-1]
    if not chosen.tabular:
        terminal.put(chosen.text(listing(found)))
    elif found:
        terminal.show(audit_table(found, width=terminal.width(terminal.console())))
    else:
        terminal.note(f"Nothing was decided since {start:%Y-%m-%d %H:%M} UTC.")
