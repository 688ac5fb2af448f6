# SPDX-License-Identifier: Apache-2.0
"""Places, operators, rollouts: the tables of version 0002, with what 0001 had in them.

Every table is made anew, because SQLite changes no constraint of one that is there.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

from orchestrator_stub.migrations.tables_0002 import (
    access,
    host,
    location,
    os_resource,
    policy,
    project,
    rollout,
    schedule,
    update_run,
)

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
_GONE: Final = {"released_hash", "cause"}
_OF_JSON: Final = {"existing_cves", "fixed_cves", "rollout", "slots", "quarantine", "released"}


def upgrade() -> None:
    """Make the tables anew and bring over what was in them."""
    for table in ("single_schedule", "repeated_schedule"):
        op.drop_index(f"ix_{table}_host_id", table)  # its name is used again
    for table in _ADDED:
        _put_aside(table)
    access.make_operator()
    project.make_project()
    access.make_api_token()
    access.make_membership()
    access.make_operator_session()
    os_resource.make_os_resource()
    location.make_region()
    policy.make_os_update_policy()
    location.make_site()
    host.make_host()
    rollout.make_rollout()
    host.make_instance()
    schedule.make_repeated_schedule()
    schedule.make_single_schedule()
    update_run.make_os_update_run()
    rollout.make_rollout_member()
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
