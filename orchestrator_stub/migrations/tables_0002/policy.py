# SPDX-License-Identifier: Apache-2.0
"""OS update policies, as version 0002 has their table."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


def make_os_update_policy() -> None:
    """Make the table `os_update_policy`."""
    op.create_table(
        "os_update_policy",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_uuid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("target_os_id", sa.String(length=64), nullable=True),
        sa.Column("update_packages", sa.Text(), nullable=False),
        sa.Column("update_sources", sa.JSON(), nullable=False),
        sa.Column("update_kernel_command", sa.Text(), nullable=False),
        sa.Column("rollout", sa.JSON(), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("updated_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_uuid"], ["project.uuid"], name="fk_os_update_policy_project_uuid"
        ),
        sa.ForeignKeyConstraint(
            ["target_os_id"], ["os_resource.id"], name="fk_os_update_policy_target_os_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_os_update_policy"),
    )
    op.create_index("ix_os_update_policy_project_uuid", "os_update_policy", ["project_uuid"])
    op.create_index("ix_os_update_policy_target_os_id", "os_update_policy", ["target_os_id"])
