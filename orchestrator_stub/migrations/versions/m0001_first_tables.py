# SPDX-License-Identifier: Apache-2.0
"""The tables as they were before there were migrations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the first tables."""
    _make_project()
    _make_host()
    _make_os_resource()
    _make_os_update_policy()
    _make_repeated_schedule()
    _make_single_schedule()
    _make_instance()
    _make_os_update_run()


def _make_project() -> None:
    op.create_table(
        "project",
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("updated_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("uuid"),
        sa.UniqueConstraint("name"),
    )


def _make_host() -> None:
    op.create_table(
        "host",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_uuid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("tokens_valid_from_s", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_s", sa.BigInteger(), nullable=True),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("updated_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_uuid"], ["project.uuid"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_uuid", "uuid"),
    )


def _make_os_resource() -> None:
    op.create_table(
        "os_resource",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_uuid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("profile_name", sa.String(length=128), nullable=False),
        sa.Column("profile_version", sa.Text(), nullable=False),
        sa.Column("image_id", sa.String(length=128), nullable=False),
        sa.Column("image_url", sa.Text(), nullable=False),
        sa.Column("file_hash", sa.String(length=64), nullable=False),
        sa.Column("os_type", sa.Text(), nullable=False),
        sa.Column("os_provider", sa.Text(), nullable=False),
        sa.Column("security_feature", sa.Text(), nullable=False),
        sa.Column("architecture", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("platform_bundle", sa.JSON(), nullable=False),
        sa.Column("installed_packages_url", sa.Text(), nullable=False),
        sa.Column("existing_cves_url", sa.Text(), nullable=False),
        sa.Column("fixed_cves_url", sa.Text(), nullable=False),
        sa.Column("tls_ca_cert", sa.Text(), nullable=False),
        sa.Column("withdrawn_reason", sa.Text(), nullable=True),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("updated_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_uuid"], ["project.uuid"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_uuid", "profile_name", "image_id"),
    )


def _make_os_update_policy() -> None:
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
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("updated_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_uuid"], ["project.uuid"]),
        sa.ForeignKeyConstraint(["target_os_id"], ["os_resource.id"]),
        sa.PrimaryKeyConstraint("id"),
    )


def _make_repeated_schedule() -> None:
    op.create_table(
        "repeated_schedule",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_uuid", sa.String(length=36), nullable=False),
        sa.Column("host_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("schedule_status", sa.String(length=40), nullable=False),
        sa.Column("duration_s", sa.BigInteger(), nullable=False),
        sa.Column("cron_minutes", sa.Text(), nullable=False),
        sa.Column("cron_hours", sa.Text(), nullable=False),
        sa.Column("cron_day_month", sa.Text(), nullable=False),
        sa.Column("cron_month", sa.Text(), nullable=False),
        sa.Column("cron_day_week", sa.Text(), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("updated_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"]),
        sa.ForeignKeyConstraint(["project_uuid"], ["project.uuid"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_repeated_schedule_host_id", "repeated_schedule", ["host_id"])


def _make_single_schedule() -> None:
    op.create_table(
        "single_schedule",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_uuid", sa.String(length=36), nullable=False),
        sa.Column("host_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("schedule_status", sa.String(length=40), nullable=False),
        sa.Column("start_s", sa.BigInteger(), nullable=False),
        sa.Column("end_s", sa.BigInteger(), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("updated_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"]),
        sa.ForeignKeyConstraint(["project_uuid"], ["project.uuid"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_single_schedule_host_id", "single_schedule", ["host_id"])


def _make_instance() -> None:
    op.create_table(
        "instance",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_uuid", sa.String(length=36), nullable=False),
        sa.Column("host_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("profile_name", sa.String(length=128), nullable=False),
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("os_id", sa.String(length=64), nullable=True),
        sa.Column("policy_id", sa.String(length=64), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("update_status", sa.Text(), nullable=False),
        sa.Column("update_status_indicator", sa.String(length=40), nullable=False),
        sa.Column("update_status_detail", sa.Text(), nullable=False),
        sa.Column("update_status_s", sa.BigInteger(), nullable=False),
        sa.Column("update_progress_percent", sa.BigInteger(), nullable=True),
        sa.Column("released_hash", sa.String(length=64), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("updated_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"]),
        sa.ForeignKeyConstraint(["os_id"], ["os_resource.id"]),
        sa.ForeignKeyConstraint(["policy_id"], ["os_update_policy.id"]),
        sa.ForeignKeyConstraint(["project_uuid"], ["project.uuid"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("host_id"),
    )


def _make_os_update_run() -> None:
    op.create_table(
        "os_update_run",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_uuid", sa.String(length=36), nullable=False),
        sa.Column("instance_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("policy_id", sa.String(length=64), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("status_indicator", sa.String(length=40), nullable=False),
        sa.Column("status_details", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("status_s", sa.BigInteger(), nullable=False),
        sa.Column("start_s", sa.BigInteger(), nullable=False),
        sa.Column("end_s", sa.BigInteger(), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("updated_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["instance_id"], ["instance.id"]),
        sa.ForeignKeyConstraint(["policy_id"], ["os_update_policy.id"]),
        sa.ForeignKeyConstraint(["project_uuid"], ["project.uuid"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("instance_id", "number"),
    )
