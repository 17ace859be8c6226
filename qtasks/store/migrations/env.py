"""How Alembic reaches the database: always through the connection that `qtasks.store.schema` passes in."""

from alembic import context

from qtasks.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=connection.dialect.name == "sqlite")
with context.begin_transaction():
    context.run_migrations()
