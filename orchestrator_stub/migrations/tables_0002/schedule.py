# SPDX-License-Identifier: Apache-2.0
"""Single and repeated schedules, as version 0002 has their tables."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

_ONE_TARGET: Final = (
    "(CASE WHEN host_id IS NULL THEN 0 ELSE 1 END"
    " + CASE WHEN site_id IS NULL THEN 0 ELSE 1 END"
    " + CASE WHEN region_id IS NULL THEN 0 ELSE 1 END) = 1"
)


def make_repeated_schedule() -> None:
    """Make the table `repeated_schedule`."""
    op.create_table(
        "repeated_schedule",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("duration_s", sa.BigInteger(), nullable=False),
        sa.Column("cron_minutes", sa.Text(), nullable=False),
        sa.Column("cron_hours", sa.Text(), nullable=False),
        sa.Column("cron_day_month", sa.Text(), nullable=False),
        sa.Column("cron_month", sa.Text(), nullable=False),
        sa.Column("cron_day_week", sa.Text(), nullable=False),
        sa.Column("project_uuid", sa.String(length=36), nullable=False),
        sa.Column("host_id", sa.String(length=64), nullable=True),
        sa.Column("site_id", sa.String(length=64), nullable=True),
        sa.Column("region_id", sa.String(length=64), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("schedule_status", sa.String(length=40), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("updated_s", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            _ONE_TARGET,
            name="ck_repeated_schedule_one_target",
        ),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name="fk_repeated_schedule_host_id"),
        sa.ForeignKeyConstraint(
            ["project_uuid"], ["project.uuid"], name="fk_repeated_schedule_project_uuid"
        ),
        sa.ForeignKeyConstraint(
            ["region_id"], ["region.id"], name="fk_repeated_schedule_region_id"
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_repeated_schedule_site_id"),
        sa.PrimaryKeyConstraint("id", name="pk_repeated_schedule"),
    )
    op.create_index("ix_repeated_schedule_host_id", "repeated_schedule", ["host_id"])
    op.create_index("ix_repeated_schedule_project_uuid", "repeated_schedule", ["project_uuid"])
    op.create_index("ix_repeated_schedule_region_id", "repeated_schedule", ["region_id"])
    op.create_index("ix_repeated_schedule_site_id", "repeated_schedule", ["site_id"])


def make_single_schedule() -> None:
    """Make the table `single_schedule`."""
    op.create_table(
        "single_schedule",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("start_s", sa.BigInteger(), nullable=False),
        sa.Column("end_s", sa.BigInteger(), nullable=False),
        sa.Column("project_uuid", sa.String(length=36), nullable=False),
        sa.Column("host_id", sa.String(length=64), nullable=True),
        sa.Column("site_id", sa.String(length=64), nullable=True),
        sa.Column("region_id", sa.String(length=64), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("schedule_status", sa.String(length=40), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("updated_s", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            _ONE_TARGET,
            name="ck_single_schedule_one_target",
        ),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name="fk_single_schedule_host_id"),
        sa.ForeignKeyConstraint(
            ["project_uuid"], ["project.uuid"], name="fk_single_schedule_project_uuid"
        ),
        sa.ForeignKeyConstraint(["region_id"], ["region.id"], name="fk_single_schedule_region_id"),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_single_schedule_site_id"),
        sa.PrimaryKeyConstraint("id", name="pk_single_schedule"),
    )
    op.create_index("ix_single_schedule_host_id", "single_schedule", ["host_id"])
    op.create_index("ix_single_schedule_project_uuid", "single_schedule", ["project_uuid"])
    op.create_index("ix_single_schedule_region_id", "single_schedule", ["region_id"])
    op.create_index("ix_single_schedule_site_id", "single_schedule", ["site_id"])
