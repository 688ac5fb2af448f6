# SPDX-License-Identifier: Apache-2.0
"""Places, operators, rollouts: the tables of version 0002, with what 0001 had in them.

Every table is made anew, because SQLite changes no constraint of one that is there.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# what a table of 0001 has no column for, as SQL, in the order in which tables refer to each other
_ADDED: Final[dict[str, dict[str, str]]] = {
    "project": {"revision": "1"},
    "os_resource": {
        "refused_hash": "''",
        "installed_packages": "''",
        "existing_cves": "'[]'",
        "fixed_cves": "'[]'",
    },
    "os_update_policy": {"rollout": "'{}'"},
    "host": {"version": "1"},
    "instance": {
        "phase": "''",
        "slots": "'[]'",
        "quarantine": "'[]'",
        "released": "CASE released_hash WHEN '' THEN '[]' ELSE '[\"' || released_hash || '\"]' END",
        "existing_cves": "'[]'",
        "version": "1",
    },
    "single_schedule": {"version": "1"},
    "repeated_schedule": {"version": "1"},
    "os_update_run": {"image_id": "''", "failure": "cause", "started_s": "0"},
}
_ONE_TARGET: Final = (
    "(CASE WHEN host_id IS NULL THEN 0 ELSE 1 END"
    " + CASE WHEN site_id IS NULL THEN 0 ELSE 1 END"
    " + CASE WHEN region_id IS NULL THEN 0 ELSE 1 END) = 1"
)
_GONE: Final = {"released_hash", "cause"}
_OF_JSON: Final = {"existing_cves", "fixed_cves", "rollout", "slots", "quarantine", "released"}


def upgrade() -> None:
    """Make the tables anew and bring over what was in them."""
    for table in ("single_schedule", "repeated_schedule"):
        op.drop_index(f"ix_{table}_host_id", table)  # its name is used again
    for table in _ADDED:
        _put_aside(table)
    _make_operator()
    _make_project()
    _make_api_token()
    _make_membership()
    _make_operator_session()
    _make_os_resource()
    _make_region()
    _make_os_update_policy()
    _make_site()
    _make_host()
    _make_rollout()
    _make_instance()
    _make_repeated_schedule()
    _make_single_schedule()
    _make_os_update_run()
    _make_rollout_member()
    for table, added in _ADDED.items():
        _bring_over(table, added)
    for table in reversed(_ADDED):
        op.drop_table(f"old_{table}")


def _put_aside(table: str) -> None:
    """Rename a table; on PostgreSQL its keys as well, whose names no other table may have."""
    op.rename_table(table, f"old_{table}")
    bind = op.get_bind()
    if bind.dialect.name != "postgresql":
        return
    inspector = sa.inspect(bind)
    unique = inspector.get_unique_constraints(f"old_{table}")
    for key in (inspector.get_pk_constraint(f"old_{table}"), *unique):
        name = key["name"]
        op.execute(f'ALTER TABLE old_{table} RENAME CONSTRAINT "{name}" TO "old_{name}"')


def _bring_over(table: str, added: dict[str, str]) -> None:
    bind = op.get_bind()
    columns = {
        column["name"]: column["name"]
        for column in sa.inspect(bind).get_columns(f"old_{table}")
        if column["name"] not in _GONE
    }
    for name, value in added.items():
        is_json = name in _OF_JSON and bind.dialect.name == "postgresql"
        columns[name] = f"CAST({value} AS JSON)" if is_json else value
    into, values = ", ".join(columns), ", ".join(columns.values())
    # every word of it stands above or in the old table
    bind.execute(sa.text(f"INSERT INTO {table} ({into}) SELECT {values} FROM old_{table}"))  # noqa: S608


def _make_operator() -> None:
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


def _make_project() -> None:
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


def _make_api_token() -> None:
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


def _make_membership() -> None:
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


def _make_operator_session() -> None:
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


def _make_region() -> None:
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


def _make_site() -> None:
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


def _make_host() -> None:
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


def _make_rollout() -> None:
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


def _make_instance() -> None:
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
    op.create_index("ix_instance_available_os_id", "instance", ["available_os_id"])
    op.create_index("ix_instance_os_id", "instance", ["os_id"])
    op.create_index("ix_instance_policy_id", "instance", ["policy_id"])
    op.create_index("ix_instance_project_uuid", "instance", ["project_uuid"])


def _make_repeated_schedule() -> None:
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


def _make_single_schedule() -> None:
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


def _make_rollout_member() -> None:
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
