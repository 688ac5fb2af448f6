# SPDX-License-Identifier: Apache-2.0
"""Update runs, as version 0002 has their table."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


def make_os_update_run() -> None:
    """Make the table `os_update_run`."""
    op.create_table(
        "os_update_run",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_uuid", sa.String(length=36), nullable=False),
        sa.Column("instance_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("policy_id", sa.String(length=64), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("image_id", sa.String(length=128), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("status_indicator", sa.String(length=40), nullable=False),
        sa.Column("status_details", sa.Text(), nullable=False),
        sa.Column("failure", sa.Text(), nullable=False),
        sa.Column("status_s", sa.BigInteger(), nullable=False),
        sa.Column("start_s", sa.BigInteger(), nullable=False),
        sa.Column("started_s", sa.BigInteger(), nullable=False),
        sa.Column("end_s", sa.BigInteger(), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("updated_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_id"], ["instance.id"], name="fk_os_update_run_instance_id"
        ),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["os_update_policy.id"], name="fk_os_update_run_policy_id"
        ),
        sa.ForeignKeyConstraint(
            ["project_uuid"], ["project.uuid"], name="fk_os_update_run_project_uuid"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_os_update_run"),
        sa.UniqueConstraint("instance_id", "number", name="uq_os_update_run_instance_id_number"),
    )
    op.create_index("ix_os_update_run_end_s", "os_update_run", ["end_s"])
    op.create_index("ix_os_update_run_policy_id", "os_update_run", ["policy_id"])
    op.create_index(
        "ix_os_update_run_project_uuid_start_s", "os_update_run", ["project_uuid", "start_s"]
    )
