# SPDX-License-Identifier: Apache-2.0
"""Hosts and their instances, as version 0002 has their tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


def make_host() -> None:
    """Make the table `host`."""
    op.create_table(
        "host",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_uuid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("site_id", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("tokens_valid_from_s", sa.BigInteger(), nullable=False),
        sa.Column("token_expires_s", sa.BigInteger(), nullable=True),
        sa.Column("last_seen_s", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("updated_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_uuid"], ["project.uuid"], name="fk_host_project_uuid"),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_host_site_id"),
        sa.PrimaryKeyConstraint("id", name="pk_host"),
        sa.UniqueConstraint("project_uuid", "uuid", name="uq_host_project_uuid_uuid"),
    )
    op.create_index("ix_host_project_uuid_name", "host", ["project_uuid", "name"])
    op.create_index("ix_host_site_id", "host", ["site_id"])


def make_instance() -> None:
    """Make the table `instance`."""
    op.create_table(
        "instance",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_uuid", sa.String(length=36), nullable=False),
        sa.Column("host_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("profile_name", sa.String(length=128), nullable=False),
        sa.Column("image_id", sa.String(length=128), nullable=False),
        sa.Column("os_id", sa.String(length=64), nullable=True),
        sa.Column("available_os_id", sa.String(length=64), nullable=True),
        sa.Column("policy_id", sa.String(length=64), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("update_status", sa.Text(), nullable=False),
        sa.Column("update_status_indicator", sa.String(length=40), nullable=False),
        sa.Column("update_status_detail", sa.Text(), nullable=False),
        sa.Column("update_status_s", sa.BigInteger(), nullable=False),
        sa.Column("update_progress_percent", sa.BigInteger(), nullable=True),
        sa.Column("phase", sa.String(length=40), nullable=False),
        sa.Column("slots", sa.JSON(), nullable=False),
        sa.Column("quarantine", sa.JSON(), nullable=False),
        sa.Column("released", sa.JSON(), nullable=False),
        sa.Column("existing_cves", sa.JSON(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("updated_s", sa.BigInteger(), nullable=False),
        *_keys_of_instance(),
    )
    op.create_index("ix_instance_available_os_id", "instance", ["available_os_id"])
    op.create_index("ix_instance_os_id", "instance", ["os_id"])
    op.create_index("ix_instance_policy_id", "instance", ["policy_id"])
    op.create_index("ix_instance_project_uuid", "instance", ["project_uuid"])


def _keys_of_instance() -> tuple[sa.Constraint, ...]:
    return (
        sa.ForeignKeyConstraint(
            ["available_os_id"], ["os_resource.id"], name="fk_instance_available_os_id"
        ),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"], name="fk_instance_host_id"),
        sa.ForeignKeyConstraint(["os_id"], ["os_resource.id"], name="fk_instance_os_id"),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["os_update_policy.id"], name="fk_instance_policy_id"
        ),
        sa.ForeignKeyConstraint(
            ["project_uuid"], ["project.uuid"], name="fk_instance_project_uuid"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_instance"),
        sa.UniqueConstraint("host_id", name="uq_instance_host_id"),
    )
