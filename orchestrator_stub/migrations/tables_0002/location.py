# SPDX-License-Identifier: Apache-2.0
"""Regions and sites, as version 0002 has their tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


def make_region() -> None:
    """Make the table `region`."""
    op.create_table(
        "region",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_uuid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("parent_id", sa.String(length=64), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("updated_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["region.id"], name="fk_region_parent_id"),
        sa.ForeignKeyConstraint(["project_uuid"], ["project.uuid"], name="fk_region_project_uuid"),
        sa.PrimaryKeyConstraint("id", name="pk_region"),
        sa.UniqueConstraint("project_uuid", "name", name="uq_region_project_uuid_name"),
    )
    op.create_index("ix_region_parent_id", "region", ["parent_id"])


def make_site() -> None:
    """Make the table `site`."""
    op.create_table(
        "site",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_uuid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("region_id", sa.String(length=64), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("updated_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_uuid"], ["project.uuid"], name="fk_site_project_uuid"),
        sa.ForeignKeyConstraint(["region_id"], ["region.id"], name="fk_site_region_id"),
        sa.PrimaryKeyConstraint("id", name="pk_site"),
        sa.UniqueConstraint("project_uuid", "name", name="uq_site_project_uuid_name"),
    )
    op.create_index("ix_site_region_id", "site", ["region_id"])
