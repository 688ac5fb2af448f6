# SPDX-License-Identifier: Apache-2.0
"""OS resources, as version 0002 has their table."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


def make_os_resource() -> None:
    """Make the table `os_resource`."""
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
        sa.Column("refused_hash", sa.String(length=64), nullable=False),
        sa.Column("os_type", sa.Text(), nullable=False),
        sa.Column("os_provider", sa.Text(), nullable=False),
        sa.Column("security_feature", sa.Text(), nullable=False),
        sa.Column("architecture", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("platform_bundle", sa.JSON(), nullable=False),
        sa.Column("installed_packages_url", sa.Text(), nullable=False),
        sa.Column("installed_packages", sa.Text(), nullable=False),
        sa.Column("existing_cves_url", sa.Text(), nullable=False),
        sa.Column("existing_cves", sa.JSON(), nullable=False),
        sa.Column("fixed_cves_url", sa.Text(), nullable=False),
        sa.Column("fixed_cves", sa.JSON(), nullable=False),
        sa.Column("tls_ca_cert", sa.Text(), nullable=False),
        sa.Column("withdrawn_reason", sa.Text(), nullable=True),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("updated_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_uuid"], ["project.uuid"], name="fk_os_resource_project_uuid"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_os_resource"),
        sa.UniqueConstraint(
            "project_uuid",
            "profile_name",
            "image_id",
            name="uq_os_resource_project_uuid_profile_name_image_id",
        ),
    )
