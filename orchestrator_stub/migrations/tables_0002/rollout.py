# SPDX-License-Identifier: Apache-2.0
"""Rollouts and their members, as version 0002 has their tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


def make_rollout() -> None:
    """Make the table `rollout`."""
    op.create_table(
        "rollout",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_uuid", sa.String(length=36), nullable=False),
        sa.Column("policy_id", sa.String(length=64), nullable=False),
        sa.Column("os_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("wave", sa.BigInteger(), nullable=False),
        sa.Column("wave_start_s", sa.BigInteger(), nullable=False),
        sa.Column("wave_done_s", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("end_s", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("updated_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["os_id"], ["os_resource.id"], name="fk_rollout_os_id"),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["os_update_policy.id"], name="fk_rollout_policy_id"
        ),
        sa.ForeignKeyConstraint(["project_uuid"], ["project.uuid"], name="fk_rollout_project_uuid"),
        sa.PrimaryKeyConstraint("id", name="pk_rollout"),
        sa.UniqueConstraint("policy_id", "os_id", name="uq_rollout_policy_id_os_id"),
    )
    op.create_index("ix_rollout_project_uuid", "rollout", ["project_uuid"])


def make_rollout_member() -> None:
    """Make the table `rollout_member`."""
    op.create_table(
        "rollout_member",
        sa.Column("rollout_id", sa.String(length=64), nullable=False),
        sa.Column("instance_id", sa.String(length=64), nullable=False),
        sa.Column("wave", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("state_s", sa.BigInteger(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("updated_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_id"], ["instance.id"], name="fk_rollout_member_instance_id"
        ),
        sa.ForeignKeyConstraint(
            ["rollout_id"], ["rollout.id"], name="fk_rollout_member_rollout_id"
        ),
        sa.PrimaryKeyConstraint("rollout_id", "instance_id", name="pk_rollout_member"),
    )
    op.create_index("ix_rollout_member_instance_id", "rollout_member", ["instance_id"])
    op.create_index(
        "ix_rollout_member_rollout_id_wave_state", "rollout_member", ["rollout_id", "wave", "state"]
    )
