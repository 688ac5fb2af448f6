# SPDX-License-Identifier: Apache-2.0
"""What Alembic runs: the migrations, in the transaction that `upgrade` has begun."""

from __future__ import annotations

from alembic import context

from orchestrator_stub.records import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=False,  # ours is open already
)
context.run_migrations()
