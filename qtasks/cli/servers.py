"""Commands that run the queue: worker, beat, flower, up, down, db upgrade."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import sys
from typing import Annotated, NoReturn

import typer

from qtasks.errors import InvalidInput
from qtasks.lifecycle import Stage

# Celery, SQLAlchemy and the settings are imported by the commands that want them: `qtasks --help` is to be quick.

database = typer.Typer(help="The database.\n\nExample: `qtasks db upgrade`", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Put these commands on `app`."""
    for command in (up, down, worker, beat, flower):
        app.command()(command)
    app.add_typer(database, name="db")


def up(
    flower_port: Annotated[
        int, typer.Option(help="Port of Flower on 127.0.0.1; 0: no Flower.", min=0, max=65535)
    ] = 5555,
) -> None:
    """Run the whole stack until Ctrl-C.

    Redis, workers, beat and Flower on the embedded default, in the foreground; tells the addresses. A stack that ran in
    the background of the same home gives way.

    Example: `qtasks up`
    """
    from qtasks.embedded import stop
    from qtasks.embedded.stack import Stack
    from qtasks.settings import settings

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)-7s %(message)s")
    if stop(settings()):
        sys.stdout.write("Took over from the stack that ran in the background.\n")
    stack = Stack(settings(), flower_port=flower_port or None, ready=_announce)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stack.stop())
    stack.run()
    sys.stdout.write("Stopped. Jobs are kept, and go on when the stack runs again.\n")


def _announce(addresses: object) -> None:
    assert isinstance(addresses, dict), "the stack tells names and addresses"
    width = max(map(len, addresses))
    lines = [f"  {name:<{width}}  {address}" for name, address in addresses.items()]
    sys.stdout.write("qtasks is up:\n" + "\n".join(lines) + "\nCtrl-C stops it.\n")
    sys.stdout.flush()


def down() -> None:
    """Stop the embedded stack of this home.

    Jobs are kept, and go on when it runs again.

    Example: `qtasks down`
    """
    from qtasks.embedded import stop
    from qtasks.settings import settings

    sys.stdout.write("Stopped.\n" if stop(settings()) else "No stack runs in this home.\n")


def worker(
    stages: Annotated[str, typer.Option(help="Stages to work at, with commas between.")] = (
        "validation,scheduling,execution"
    ),
    concurrency: Annotated[int, typer.Option(help="Pool processes; 0: one per processor.", min=0)] = 0,
    loglevel: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Run a worker.

    With several stages it carries on with a job in place. SIGTERM lets it finish or give back what it has.

    Example: `qtasks worker --stages execution --concurrency 4`
    """
    wanted = [name.strip() for name in stages.split(",") if name.strip()]
    known = [stage.value for stage in Stage]
    for name in wanted:
        if name not in known:
            raise InvalidInput(f"There is no stage {name}.", hint=f"Stages: {', '.join(known)}.", reason="NoSuchStage")
    from qtasks.backends.threads import available
    from qtasks.settings import settings
    from qtasks.store import Store, schema

    store = Store(settings().database, pool_size=1)
    schema.require_current(store)
    store.close()

    # One name per process that ever ran: leases are told apart by it.
    node = f"{'-'.join(wanted) if len(wanted) < 3 else 'worker'}-{os.getpid()}-{secrets.token_hex(2)}@%h"
    _celery(
        "worker",
        *("--queues", ",".join(wanted)),
        *("--concurrency", str(concurrency or available())),
        *("--hostname", node, "--loglevel", loglevel, "--without-gossip", "--without-mingle"),
    )


def beat(loglevel: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info") -> None:
    """Run beat, the clock of the periodic tasks.

    One is enough, and more do no harm.

    Example: `qtasks beat`
    """
    _celery("beat", "--scheduler", "celery.beat:Scheduler", "--pidfile", "", "--loglevel", loglevel)


def flower(
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 5555,
    address: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Run Flower, the monitor of queues and tasks.

    It is a site for the browser, without a password: let only those reach it who may see and stop tasks.

    Example: `qtasks flower --port 5555`
    """
    _celery("flower", f"--port={port}", f"--address={address}", "--persistent=False")


@database.command()
def upgrade() -> None:
    """Bring the database to this version's schema.

    Safe to run again, and from several processes at once.

    Example: `qtasks db upgrade`
    """
    from qtasks.settings import settings
    from qtasks.store import Store, schema

    store = Store(settings().database, pool_size=1)
    before, after = schema.upgrade(store)
    store.close()
    if before == after:
        sys.stdout.write(f"The database is at schema {after} already.\n")
    else:
        sys.stdout.write(f"Migrated the database from schema {before or 'none'} to {after}.\n")


def _celery(*arguments: str) -> NoReturn:
    """Become Celery's process: qtasks itself never imports the workers."""
    from qtasks.settings import settings

    # Given back at the end of a grace period instead of stranded: see REMAP_SIGTERM in Celery's documentation.
    environment = {"REMAP_SIGTERM": "SIGQUIT", **os.environ, **settings().environment()}
    command = [sys.executable, "-m", "celery", "--app", "workers.app", *arguments]
    sys.stdout.flush()
    os.execve(sys.executable, command, environment)
