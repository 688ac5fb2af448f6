# SPDX-License-Identifier: Apache-2.0
"""Projects, as version 0002 has their table."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


def make_project() -> None:
    """Make the table `project`."""
    op.create_table(
        "project",
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("updated_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("uuid", name="pk_project"),
        sa.UniqueConstraint("name", name="uq_project_name"),
    )
