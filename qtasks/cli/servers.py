"""Commands that run the queue: worker, beat, flower, api, up, down, db upgrade."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import sys
from typing import Annotated, NoReturn

import typer

from qtasks.errors import InvalidInput, Unavailable
from qtasks.lifecycle import Stage

# Celery, SQLAlchemy and the settings are imported by the commands that want them: `qtasks --help` is to be quick.

database = typer.Typer(help="The database.\n\nExample: `qtasks db upgrade`", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Put these commands on `app`."""
    for command in (up, down, worker, beat, flower, api):
        app.command()(command)
    app.add_typer(database, name="db")


def up(
    flower_port: Annotated[
        int, typer.Option(help="Port of Flower on 127.0.0.1; 0: no Flower.", min=0, max=65535)
    ] = 5555,
    api_port: Annotated[
        int, typer.Option(help="Port of the API and its page on 127.0.0.1; 0: neither.", min=0, max=65535)
    ] = 8000,
) -> None:
    """Run the whole stack until Ctrl-C.

    Redis, workers, beat, the API with its page, and Flower on the embedded default, in the foreground; tells the
    addresses. A stack that ran in the background of the same home gives way.

    Example: `qtasks up`
    """
    from qtasks.embedded import stop
    from qtasks.embedded.stack import Stack
    from qtasks.settings import settings

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)-7s %(message)s")
    if stop(settings()):
        sys.stdout.write("Took over from the stack that ran in the background.\n")
    config = settings()
    if flower_port and not config.flower_url:
        config = config.model_copy(update={"flower_url": f"http://127.0.0.1:{flower_port}"})
    if api_port:
        _require_free(api_port)
    stack = Stack(config, flower_port=flower_port or None, api_port=api_port or None, ready=_announce)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stack.stop())
    stack.run()
    sys.stdout.write("Stopped. Jobs are kept, and go on when the stack runs again.\n")


def _require_free(port: int) -> None:
    """Refuse a port that somebody listens on: the API would be started on it in vain, again and again."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise Unavailable(
                f"Something listens on port {port} already.",
                reason="AddressInUse",
                hint="Stop it, or take another port: `qtasks up --api-port 8001` (0: no API).",
            ) from None


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


def api(
    host: Annotated[str | None, typer.Option(help="Address to listen on; QTASKS_API_HOST when absent.")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port; QTASKS_API_PORT when absent, 0: a free one.", min=0, max=65535)
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes; QTASKS_API_WORKERS when absent.", min=1, max=256)
    ] = None,
) -> None:
    """Run the REST API and the page.

    Over the database, broker and object store that the settings name; on the embedded default it starts, or joins, the
    stack of the home. SIGTERM lets it finish what was asked.

    Example: `qtasks api --port 8000 --workers 2`
    """
    from qtasks.api.server import serve
    from qtasks.settings import settings

    given = {"api_host": host, "api_port": port, "api_workers": workers, "api_url": ""}
    serve(settings().model_copy(update={name: value for name, value in given.items() if value is not None}))


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

    environment = {**os.environ, **settings().environment()}
    command = [sys.executable, "-m", "celery", "--app", "workers.app", *arguments]
    sys.stdout.flush()
    os.execve(sys.executable, command, environment)
