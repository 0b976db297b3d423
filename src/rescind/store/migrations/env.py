"""Alembic's environment: it is handed a connection by `store.migrate`, which holds the lock and the transaction."""

from alembic import context

from rescind.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
