# SPDX-License-Identifier: Apache-2.0
"""Migrations on each database: from the first tables on, at once by many, and never backwards."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command, op
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, create_engine, inspect, select, text

from orchestrator_stub import migrations
from orchestrator_stub.database import Database
from orchestrator_stub.errors import SettingsError
from orchestrator_stub.records import (
    Base,
    Host,
    Instance,
    OSResource,
    Policy,
    Project,
    RepeatedSchedule,
    SingleSchedule,
    UpdateRun,
)
from orchestrator_stub.vocabulary import PolicyKind, ScheduleStatus

REPOSITORY = Path(__file__).parents[3]
PROCESSES = 4
UPGRADE = """\
import sys
from orchestrator_stub.database import Database
database = Database(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
database.upgrade()
database.close()
"""
HASH = "ab" * 32
TIMES = {"created_s": 1_700_000_000, "updated_s": 1_700_000_001}
TARGET = {"project_uuid": "p-1", "host_id": "host-1", "name": "n", **TIMES}
INSTANCE = {
    "project_uuid": "p-1",
    "name": "edge 'one'",
    "state": "INSTANCE_STATE_RUNNING",
    "profile_name": "edge",
    "detail": "a detail",
    "update_status": "Update failed",
    "update_status_indicator": "STATUS_INDICATION_ERROR",
    "update_status_detail": '{"update_log": []}',
    "update_status_s": 5,
    **TIMES,
}
FIRST_ROWS: dict[str, list[dict[str, Any]]] = {
    "project": [{"uuid": "p-1", "name": "default", **TIMES}],
    "os_resource": [
        {
            "id": "os-1",
            "project_uuid": "p-1",
            "name": "edge 1.0 · ü",
            "profile_name": "edge",
            "profile_version": "",
            "image_id": "1.0",
            "image_url": "edge/1.0/edge-1.0.raw.zst",
            "file_hash": HASH,
            "os_type": "OS_TYPE_IMMUTABLE",
            "os_provider": "OS_PROVIDER_KIND_INFRA",
            "security_feature": "SECURITY_FEATURE_NONE",
            "architecture": "x86_64",
            "description": "",
            "platform_bundle": {"a": [1, "ü"]},
            "installed_packages_url": "",
            "existing_cves_url": "",
            "fixed_cves_url": "",
            "tls_ca_cert": "",
            "withdrawn_reason": "it breaks",
            **TIMES,
        }
    ],
    "os_update_policy": [
        {
            "id": "osupdatepolicy-1",
            "project_uuid": "p-1",
            "name": "newest",
            "description": "",
            "kind": "UPDATE_POLICY_TARGET",
            "target_os_id": "os-1",
            "update_packages": "",
            "update_sources": ["one", "two"],
            "update_kernel_command": "",
            **TIMES,
        }
    ],
    "host": [
        {
            "id": f"host-{number}",
            "project_uuid": "p-1",
            "name": f"edge-{number}",
            "uuid": f"uuid-{number}",
            "state": "HOST_STATE_ONBOARDED",
            "note": "",
            "tokens_valid_from_s": 7,
            "last_seen_s": None if number == 2 else 9,
            **TIMES,
        }
        for number in (1, 2)
    ],
    "instance": [
        {
            "id": "inst-1",
            "host_id": "host-1",
            "image_id": "1.0",
            "os_id": "os-1",
            "policy_id": "osupdatepolicy-1",
            "update_progress_percent": 40,
            "released_hash": HASH,
            **INSTANCE,
        },
        {
            "id": "inst-2",
            "host_id": "host-2",
            "image_id": "",
            "os_id": None,
            "policy_id": None,
            "update_progress_percent": None,
            "released_hash": "",
            **INSTANCE,
        },
    ],
    "single_schedule": [
        {
            "id": "singlesche-1",
            "schedule_status": "SCHEDULE_STATUS_OS_UPDATE",
            "start_s": 2_000_000_000,
            "end_s": 0,
            **TARGET,
        }
    ],
    "repeated_schedule": [
        {
            "id": "repeatedsche-1",
            "schedule_status": "SCHEDULE_STATUS_MAINTENANCE",
            "duration_s": 3600,
            "cron_minutes": "0",
            "cron_hours": "2",
            "cron_day_month": "*",
            "cron_month": "*",
            "cron_day_week": "1,5",
            **TARGET,
        }
    ],
    "os_update_run": [
        {
            "id": "osupdaterun-1",
            "project_uuid": "p-1",
            "instance_id": "inst-1",
            "number": 1,
            "policy_id": "osupdatepolicy-1",
            "name": "edge-1 update",
            "description": "",
            "status": "Update failed",
            "status_indicator": "STATUS_INDICATION_ERROR",
            "status_details": "{}",
            "cause": "probe web failed",
            "status_s": 3,
            "start_s": 1,
            "end_s": 3,
            **TIMES,
        }
    ],
}


def version(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def to_first(connection: Connection) -> None:
    """What migration 0001 makes, with rows in every table of it."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, migrations.FIRST)
    tables = MetaData()
    tables.reflect(connection)
    for table, rows in FIRST_ROWS.items():
        connection.execute(tables.tables[table].insert(), rows)


@pytest.fixture
def first(empty_database_url: str) -> str:
    """A database as version 0001 has left it."""
    engine = create_engine(empty_database_url)
    with engine.begin() as connection:
        to_first(connection)
    engine.dispose()
    return empty_database_url


def upgraded(url: str) -> Database:
    database = Database(url)
    database.upgrade()
    return database


def look(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    engine = create_engine(url)
    with engine.connect() as connection:
        names = sorted(inspect(connection).get_table_names())
        found = {
            name: [tuple(row) for row in connection.execute(text(f"SELECT * FROM {name}"))]
            for name in names
        }
    engine.dispose()
    return found


def test_records_of_the_first_tables_are_all_there_at_the_head(first: str) -> None:
    with closing(upgraded(first)) as database, database.reading() as session:
        project = session.scalars(select(Project)).one()
        assert (project.name, project.revision) == ("default", 1)
        resource = session.scalars(select(OSResource)).one()
        assert resource.name == "edge 1.0 · ü"
        assert resource.platform_bundle == {"a": [1, "ü"]}
        assert (resource.refused_hash, resource.fixed_cves) == ("", [])
        assert resource.withdrawn_reason == "it breaks"
        policy = session.scalars(select(Policy)).one()
        assert (policy.kind, policy.target_os) == (PolicyKind.TARGET, resource)
        assert (policy.update_sources, policy.rollout) == (["one", "two"], {})
        one, two = session.scalars(select(Instance).order_by(Instance.id))
        assert (one.os, one.policy, one.update_progress_percent) == (resource, policy, 40)
        assert (one.released, two.released) == ([HASH], [])
        assert (one.quarantine, one.slots, one.phase, one.version) == ([], [], "", 1)
        assert one.name == "edge 'one'"
        hosts = session.scalars(select(Host).order_by(Host.id)).all()
        assert [host.instance for host in hosts] == [one, two]
        assert [host.last_seen_s for host in hosts] == [9, None]
        assert (hosts[0].created_s, hosts[0].site) == (TIMES["created_s"], None)
        single = session.scalars(select(SingleSchedule)).one()
        assert (single.host_id, single.site_id, single.start_s) == ("host-1", None, 2_000_000_000)
        assert single.schedule_status is ScheduleStatus.OS_UPDATE
        repeated = session.scalars(select(RepeatedSchedule)).one()
        assert (repeated.cron_day_week, repeated.version) == ("1,5", 1)
        run = session.scalars(select(UpdateRun)).one()
        assert (run.instance, run.failure, run.started_s) == (one, "probe web failed", 0)


def test_records_of_the_first_tables_can_be_changed_at_the_head(first: str) -> None:
    """References lead to the tables of today, not to those that were put aside."""
    with closing(upgraded(first)) as database:
        with database.writing() as session:
            session.scalars(select(Project)).one().name = "other"
            for run in session.scalars(select(UpdateRun)):
                session.delete(run)
            session.get_one(Instance, "inst-2").policy_id = "osupdatepolicy-1"
        with database.writing() as session:
            session.delete(session.get_one(Instance, "inst-1"))
        assert not [name for name in look(first) if name.startswith("old_")]


def test_database_from_before_migrations_is_taken_for_the_first(first: str) -> None:
    engine = create_engine(first)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
    engine.dispose()
    with closing(upgraded(first)) as database, database.reading() as session:
        assert session.scalars(select(UpdateRun)).one().failure == "probe web failed"


def test_upgrade_at_the_head_changes_nothing(first: str) -> None:
    upgraded(first).close()
    before = look(first)
    upgraded(first).close()
    assert look(first) == before


def test_migration_that_fails_leaves_everything_as_it_was(
    first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = look(first)

    def fail(name: str, *_rest: object) -> None:
        if name == "ix_rollout_member_instance_id":  # among the last that is made
            raise RuntimeError("the power is gone")
        create_index(name, *_rest)

    create_index: Any = op.create_index
    monkeypatch.setattr(op, "create_index", fail)
    with closing(Database(first)) as database, pytest.raises(RuntimeError):
        database.upgrade()
    assert look(first) == before
    monkeypatch.undo()
    upgraded(first).close()


def test_database_of_a_newer_version_is_refused_and_left_alone(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    before = look(database_url)
    with closing(Database(database_url)) as database, pytest.raises(SettingsError, match="9999"):
        database.upgrade()
    assert look(database_url) == before


@pytest.mark.parametrize("start", ["empty", "first"])
def test_tables_are_those_of_the_records(
    request: pytest.FixtureRequest, empty_database_url: str, start: str
) -> None:
    if start == "first":
        request.getfixturevalue("first")
    upgraded(empty_database_url).close()
    engine = create_engine(empty_database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_processes_that_start_together_all_come_up(empty_database_url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", UPGRADE, empty_database_url],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, trouble = process.communicate(timeout=300)
        assert process.returncode == 0, trouble
    assert len(look(empty_database_url)["alembic_version"]) == 1
