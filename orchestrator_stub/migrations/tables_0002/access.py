# SPDX-License-Identifier: Apache-2.0
"""Operators, their memberships and sessions, and API tokens, as version 0002 has their tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


def make_operator() -> None:
    """Make the table `operator`."""
    op.create_table(
        "operator",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("updated_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_operator"),
        sa.UniqueConstraint("name", name="uq_operator_name"),
    )


def make_api_token() -> None:
    """Make the table `api_token`."""
    op.create_table(
        "api_token",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_uuid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=40), nullable=False),
        sa.Column("expires_s", sa.BigInteger(), nullable=True),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("updated_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_uuid"], ["project.uuid"], name="fk_api_token_project_uuid"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_api_token"),
        sa.UniqueConstraint("project_uuid", "name", name="uq_api_token_project_uuid_name"),
        sa.UniqueConstraint("token_hash", name="uq_api_token_token_hash"),
    )


def make_membership() -> None:
    """Make the table `membership`."""
    op.create_table(
        "membership",
        sa.Column("operator_id", sa.String(length=64), nullable=False),
        sa.Column("project_uuid", sa.String(length=36), nullable=False),
        sa.Column("scope", sa.String(length=40), nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("updated_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name="fk_membership_operator_id"),
        sa.ForeignKeyConstraint(
            ["project_uuid"], ["project.uuid"], name="fk_membership_project_uuid"
        ),
        sa.PrimaryKeyConstraint("operator_id", "project_uuid", name="pk_membership"),
    )


def make_operator_session() -> None:
    """Make the table `operator_session`."""
    op.create_table(
        "operator_session",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("operator_id", sa.String(length=64), nullable=False),
        sa.Column("csrf_token", sa.String(length=64), nullable=False),
        sa.Column("used_s", sa.BigInteger(), nullable=False),
        sa.Column("expires_s", sa.BigInteger(), nullable=False),
        sa.Column("project_uuid", sa.String(length=36), nullable=True),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("updated_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operator.id"], name="fk_operator_session_operator_id"
        ),
        sa.ForeignKeyConstraint(
            ["project_uuid"], ["project.uuid"], name="fk_operator_session_project_uuid"
        ),
        sa.PrimaryKeyConstraint("token_hash", name="pk_operator_session"),
    )
    op.create_index("ix_operator_session_expires_s", "operator_session", ["expires_s"])
    op.create_index("ix_operator_session_operator_id", "operator_session", ["operator_id"])
