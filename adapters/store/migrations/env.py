"""Runs the migrations on the connection it is given; the transaction is the caller's (adapters.store.migrate)."""

from alembic import context

from adapters.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
context.run_migrations()
