"""The database connection: one engine per process, transactions, and errors a caller can act on."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, InterfaceError, OperationalError
from tenacity import (
    Retrying,
    retry_if_exception,
    retry_if_exception_type,
    stop_after_delay,
    wait_exponential_jitter,
    wait_random,
)

from qtasks.errors import InvalidInput, Unavailable

T = TypeVar("T")

_TRUSTED_SECONDS = 2.0
"""How long a connection is taken to be good after its last use."""


class Store:
    """The database that `url` names.

    `begin()` opens a transaction that writes, `read()` one that does not. An unreachable database raises Unavailable
    (reason `DatabaseUnavailable`); messages never hold its password.
    """

    def __init__(self, url: str, *, pool_size: int = 4) -> None:
        try:
            self.url = make_url(url)
        except ArgumentError:
            raise InvalidInput(
                "QTASKS_DATABASE_URL is not a database address.",
                reason="InvalidSettings",
                hint="Use sqlite:////path/to/file.db or postgresql+psycopg://user:password@host/name.",
            ) from None
        if self.url.drivername == "postgresql":
            self.url = self.url.set(drivername="postgresql+psycopg")
        self.engine = _postgresql(self.url, pool_size) if self.postgresql else _sqlite(self.url)

    @property
    def postgresql(self) -> bool:
        return self.url.get_backend_name() == "postgresql"

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One transaction that writes: committed at the end of the block, rolled back when it raises."""
        with _translated(self.url.host or self.url.database), self.engine.connect() as connection:
            connection.info["write"] = True
            with connection.begin():
                yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that only reads: it waits for nobody, and nobody for it."""
        with _translated(self.url.host or self.url.database), self.engine.connect() as connection:
            connection.info["write"] = False
            if self.postgresql:
                # Every statement by itself: two round trips less, and no question here needs a common snapshot.
                yield connection.execution_options(isolation_level="AUTOCOMMIT")
            else:
                with connection.begin():
                    yield connection

    def insist(self, write: Callable[[Connection], T], *, seconds: float) -> T:
        """Do `write` in a transaction, again and again while the database is away, for at most `seconds`.

        For what must not be lost, such as the result of an hour's simulation; `write` must bear repetition.
        """

        def once() -> T:
            with self.begin() as tx:
                return write(tx)

        return self.bear(once, seconds=seconds)

    @staticmethod
    def bear(ask: Callable[[], T], *, seconds: float) -> T:
        """What `ask` gives, asked again and again while the database is away, for at most `seconds`."""
        patiently = Retrying(
            retry=retry_if_exception_type(Unavailable),
            wait=wait_exponential_jitter(multiplier=0.1, max=3),
            stop=stop_after_delay(seconds),
            reraise=True,
        )
        return patiently(ask)


@contextmanager
def _translated(where: str | None) -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise Unavailable(
            f"The database at {where} cannot be used: {_first_line(error)}.",
            reason="DatabaseUnavailable",
            hint="Start it, or correct QTASKS_DATABASE_URL; nothing that was committed is lost.",
        ) from error


def _first_line(error: DBAPIError) -> str:
    return (str(error.orig).strip().splitlines() or ["no answer"])[0].rstrip(".")


def _postgresql(url: Any, pool_size: int) -> Engine:
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_recycle=1800,
        # Transactions here always end in a commit or a rollback: nothing is left to reset.
        pool_reset_on_return=None,
        connect_args={
            "connect_timeout": 5,
            "application_name": "qtasks",
            # A database that froze, or a firewall that forgot the connection, is noticed within half a minute.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
        },
    )

    @event.listens_for(engine, "checkin")
    def _note_use(_connection: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _ping(connection: Any, record: Any, _proxy: Any) -> None:
        # A ping before every statement would cost as much as the statement.
        if time.monotonic() - record.info.get("used", -math.inf) < _TRUSTED_SECONDS:
            return
        if record.info.get("used") is not None:
            try:
                connection.execute("SELECT 1")
                connection.rollback()
            except psycopg.Error as error:
                raise DisconnectionError from error

    return engine


def _sqlite(url: Any) -> Engine:
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": 30, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: Any) -> None:
        # The driver's own BEGIN comes too late to be IMMEDIATE; see _begin.
        connection.isolation_level = None
        _write_ahead(connection)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that reads first and writes later would fail with SQLITE_BUSY at once instead of waiting.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.info.get("write", True) else "BEGIN")

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    # The first switch of a file wants it to itself and, unlike every other statement, does not wait for its turn.
    for attempt in Retrying(
        retry=retry_if_exception(_busy), wait=wait_random(0.005, 0.05), stop=stop_after_delay(30), reraise=True
    ):
        with attempt:
            connection.execute("PRAGMA journal_mode=WAL")


def _busy(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
