"""Redis and PostgreSQL as production has them: nobody gets in without a password."""

from __future__ import annotations

import psycopg
import redis

from tests.support.servers import Postgres, Redis

PASSWORD = "correct-horse"


class GuardedRedis(Redis):
    """A Redis with a password."""

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        return [*super().command(), "--requirepass", PASSWORD, "--maxmemory-policy", "noeviction"]

    def refuses(self) -> bool:
        """Whether somebody without the password is turned away."""
        with redis.Redis(port=self.port, socket_timeout=5) as client:
            try:
                client.ping()
            except redis.AuthenticationError:
                return True
            return False


class GuardedPostgres(Postgres):
    """A PostgreSQL with a role of qtasks' own, which logs in by SCRAM."""

    def guarded(self) -> str:
        """Make role and database, and let nobody in by trust any more; returns the address of the database."""
        self.database("qtasks")
        address = f"host=127.0.0.1 port={self.port} user=postgres dbname=qtasks"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE qtasks LOGIN PASSWORD '{PASSWORD}'")
            connection.execute("ALTER DATABASE qtasks OWNER TO qtasks")
            connection.execute("ALTER SCHEMA public OWNER TO qtasks")
        (self._data / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
        self.restart()
        return f"postgresql+psycopg://qtasks:{PASSWORD}@127.0.0.1:{self.port}/qtasks"

    def answers(self) -> bool:
        return super().answers() or self.refuses()

    def refuses(self) -> bool:
        """Whether somebody with another password is turned away, by a server that is up."""
        try:
            psycopg.connect(
                f"host=127.0.0.1 port={self.port} user=qtasks password=wrong dbname=qtasks", connect_timeout=2
            ).close()
        except psycopg.OperationalError as error:
            return "password authentication failed" in str(error)
        return False
