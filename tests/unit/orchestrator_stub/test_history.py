# SPDX-License-Identifier: Apache-2.0
"""The history of update runs, whatever a node reports in whatever order."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from orchestrator_stub import enrolment, maintenance
from orchestrator_stub.database import Database
from orchestrator_stub.enrolment import Candidate
from orchestrator_stub.maintenance import Poll
from orchestrator_stub.node_token import NodeIdentity
from orchestrator_stub.status import UPDATE_STATUS
from orchestrator_stub.tables import OPEN_END_S, Instance, Project, UpdateRun
from orchestrator_stub.update_run import CLOSING, OPENING
from puad.core.wire import StatusReport, StatusType

GUID = "11111111-2222-3333-4444-555555555555"
PROJECT = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
START_S = 1_800_000_000


def detail(cause: str) -> str:
    entry = {"status": "failed", "failure_reason": "download", "failure_log": cause}
    return json.dumps({"update_log": [entry]})


REPORTS = st.builds(
    StatusReport,
    status_type=st.sampled_from(StatusType),
    status_detail=st.sampled_from(["", "broken", detail("a"), detail("b")]),
    profile_name=st.sampled_from(["", "edge", "other"]),
    os_image_id=st.sampled_from(["", "1.0", "2.0", "9.9"]),
)


def check(database: Database, report: StatusReport, runs_before: int) -> int:
    with database.reading() as session:
        instance = session.scalars(select(Instance)).one()
        runs = session.scalars(select(UpdateRun).order_by(UpdateRun.number)).all()
    assert instance.update_status == UPDATE_STATUS[report.status_type].text
    assert [run.number for run in runs] == list(range(1, len(runs) + 1))
    assert len(runs) <= runs_before + 1
    open_runs = [run for run in runs if run.end_s == OPEN_END_S]
    if report.status_type in CLOSING:
        assert open_runs == []
    if report.status_type in OPENING:
        assert open_runs == [runs[-1]]
        assert runs[-1].status == UPDATE_STATUS[report.status_type].text
    if report.status_type is StatusType.FAILED:
        assert runs[-1].status == "Update failed"
    for run in runs:
        assert run.start_s <= run.end_s
        assert run.start_s <= run.status_s
    return len(runs)


@settings(max_examples=40, deadline=None)
@given(reports=st.lists(REPORTS, min_size=1, max_size=12))
def test_any_order_of_reports_leaves_a_true_history(reports: list[StatusReport]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'test.db'}")
        database.create_tables()
        with database.writing() as session:
            project = Project(uuid=PROJECT, name="default")
            session.add(project)
            session.flush()
            enrolment.enrol(session, project, Candidate("edge-1", GUID, "edge", "1.0"))
        runs = 0
        for number, report in enumerate(reports):
            now_s = START_S + 20 * number
            node = NodeIdentity(GUID, PROJECT, START_S)
            for _ in range(2):  # a report told twice is no news
                maintenance.answer(database, Poll(node, GUID, report, now_s))
            runs = check(database, report, runs)
        database.close()
