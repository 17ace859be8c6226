"""Commands that run the queue: worker, beat, flower, api, up, down, db upgrade."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer

from qtasks.errors import InvalidInput, QTasksError, Unavailable
from qtasks.lifecycle import Queue, Stage

# Celery, SQLAlchemy and the settings are imported by the commands that want them: `qtasks --help` is to be quick.

_Named = TypeVar("_Named", Queue, Stage)

Loglevel = Annotated[str | None, typer.Option(help="debug, info, warning or error; QTASKS_LOG_LEVEL when absent.")]

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
    from qtasks.telemetry import logs

    logs.set_up("stack", level="warning")
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
    queues: Annotated[
        str | None, typer.Option(help="Queues to work at, in place of all of the stages, with commas between.")
    ] = None,
    concurrency: Annotated[int, typer.Option(help="Pool processes; 0: one per processor.", min=0)] = 0,
    loglevel: Loglevel = None,
) -> None:
    """Run a worker.

    With several stages it carries on with a job in place. SIGTERM lets it finish what it has, for
    QTASKS_STOP_SECONDS, or give it back. A stage has queues for classes of jobs: `validation.fetch`,
    `execution` (fewer than 10 qubits), `execution.medium`, `.large`, `.huge`, `.provider`.

    Example: `qtasks worker --stages execution --concurrency 4`, `qtasks worker --queues execution.large,execution.huge`
    """
    level = _logging("worker", loglevel)
    consumed = _named(Queue, queues, "queue") if queues else Queue.of(*_named(Stage, stages, "stage"))
    from qtasks.backends.threads import available
    from qtasks.settings import settings
    from qtasks.store import Store, schema

    store = Store(settings().database, pool_size=1)
    schema.require_current(store)
    store.close()

    # One name per process that ever ran: leases are told apart by it.
    wanted = (queues or stages).replace(" ", "").split(",")
    node = f"{'-'.join(wanted) if len(wanted) < 3 else 'worker'}-{os.getpid()}-{secrets.token_hex(2)}"
    size = str(concurrency or available())
    _become("worker", "--queues", ",".join(consumed), "--concurrency", size, "--name", node, "--loglevel", level)


def _named(kind: type[_Named], given: str, word: str) -> list[_Named]:
    known = [member.value for member in kind]
    names = [name.strip() for name in given.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise InvalidInput(
                f"There is no {word} {name}.", hint=f"There is {', '.join(known)}.", reason=f"NoSuch{word.capitalize()}"
            )
    return [kind(name) for name in names]


def beat(loglevel: Loglevel = None) -> None:
    """Run beat, the clock of the periodic tasks.

    One is enough, and more do no harm.

    Example: `qtasks beat`
    """
    level = _logging("beat", loglevel)
    _become("beat", "--loglevel", level)


def flower(
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 5555,
    address: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    url_prefix: Annotated[str, typer.Option(help="Path under which a proxy has it, such as /flower.")] = "",
    basic_auth_file: Annotated[
        Path | None,
        typer.Option(help="File of who may use it, `user:password` a line; QTASKS_FLOWER_AUTH_FILE when absent."),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen beyond loopback without passwords all the same.")
    ] = False,
) -> None:
    """Run Flower, the monitor of queues and tasks.

    It is a site for the browser. Whoever may use it sees all tasks, and can stop them and the workers; /metrics and
    /healthcheck are open to everybody who reaches it.

    Example: `qtasks flower --address 0.0.0.0 --basic-auth-file flower-users --url-prefix /flower`
    """
    from qtasks.access.monitor import require_protected, users_of
    from qtasks.settings import settings

    _logging("flower")
    file = basic_auth_file or settings().flower_auth_file
    users = users_of(file) if file is not None else []
    require_protected(address, users=bool(users), insecure=insecure)
    os.environ.update(settings().environment())
    # By name, for qtasks itself never imports the workers.
    import_module("workers.monitor").serve(port=port, address=address, url_prefix=url_prefix, users=users)


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

    _logging("api")
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

    _logging("migration")
    store = Store(settings().database, pool_size=1)
    before, after = schema.upgrade(store)
    store.close()
    if before == after:
        sys.stdout.write(f"The database is at schema {after} already.\n")
    else:
        sys.stdout.write(f"Migrated the database from schema {before or 'none'} to {after}.\n")


@database.command()
def wait(
    timeout: Annotated[float, typer.Option(help="Seconds after which it gives up, with exit code 5.", min=0)] = 600,
) -> None:
    """Wait until the database answers and is at this version's schema.

    For what starts beside the migration: the pods of a cluster, the containers of a compose file. Changes nothing.

    Example: `qtasks db wait --timeout 60`
    """
    from qtasks.settings import settings
    from qtasks.store import Store, schema

    _logging("migration")
    store = Store(settings().database, pool_size=1)
    store.bear(lambda: schema.require_current(store), seconds=timeout)
    store.close()


def _logging(component: str, level: str | None = None) -> str:
    """Let this process log, and trace, as what it is; returns the least level of its lines."""
    from qtasks.settings import settings
    from qtasks.telemetry import logs, traces

    level = (level or settings().log_level).lower()
    if level not in ("debug", "info", "warning", "error"):
        raise InvalidInput(
            f"There is no level {level}.", reason="InvalidOption", hint="There is debug, info, warning, error."
        )
    logs.set_up(component, level=level)
    traces.start(component)
    return level


def _become(*arguments: str) -> NoReturn:
    """Be Celery's worker or beat from here on. In place, for most of a start is imports; by name, for qtasks itself
    never imports the workers."""
    from qtasks.settings import settings
    from qtasks.telemetry import logs

    os.environ.update(settings().environment())
    sys.stdout.flush()
    try:
        import_module("workers.__main__").main([*arguments, *(["--quiet"] if logs.structured() else [])])
    except QTasksError:
        raise
    except Exception:
        logging.getLogger(__name__).critical("%s could not start", arguments[0], exc_info=True)
    sys.exit(1)
