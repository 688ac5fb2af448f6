# SPDX-License-Identifier: Apache-2.0
"""What is true of the records at any time, and what they say without ids and times of writing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub.database import Database
from orchestrator_stub.maintenance.status import NOT_BACK, UPDATE_STATUS, is_by_server
from orchestrator_stub.maintenance.update_run import CLOSING
from orchestrator_stub.os_resources import OSResources
from orchestrator_stub.records import (
    OPEN_END_S,
    Base,
    Host,
    Instance,
    OSResource,
    Policy,
    Project,
    Rollout,
    RolloutMember,
    SingleSchedule,
    UpdateRun,
)
from orchestrator_stub.rollouts.rules import RolloutRules
from orchestrator_stub.vocabulary import Indication, MemberState, RolloutState

AT_REST = {UPDATE_STATUS[status].text for status in CLOSING}
# what every writing raises, and when a node was last seen: of that a killed server loses a minute
NOT_COMPARED = {"created_s", "updated_s", "version", "revision", "last_seen_s"}

Row = TypeVar("Row", bound=Base)


def check(database: Database, when: str) -> None:
    """Nothing in the records contradicts itself."""
    with database.reading() as session:
        for project_uuid in session.scalars(select(Project.uuid)):
            resources = OSResources(session, project_uuid)
            for instance in session.scalars(select(Instance)).unique():
                _check_instance(session, instance, resources, when)
        for rollout in session.scalars(select(Rollout)).unique():
            _check_rollout(session, rollout, when)


def _check_instance(
    session: Session, instance: Instance, resources: OSResources, when: str
) -> None:
    where = f"{instance.name}: {when}"
    newer = resources.newer(instance.profile_name, instance.image_id)
    runs_now = resources.with_image(instance.profile_name, instance.image_id)
    assert instance.available_os_id == (newer.id if newer else None), where
    # an image may have been published after its node has said that it runs it
    assert instance.os_id in {None, runs_now.id if runs_now else None}, where
    mine = select(UpdateRun).where(UpdateRun.instance_id == instance.id).order_by(UpdateRun.number)
    runs = session.scalars(mine).unique().all()
    for number, run in enumerate(runs, start=runs[0].number if runs else 1):
        assert run.number == number, where
        assert run.start_s <= run.status_s <= run.end_s, where
        assert run.end_s < OPEN_END_S or run is runs[-1], where
        assert run.end_s == OPEN_END_S or run.status in AT_REST or _is_explained(run), where
    if runs and runs[-1].end_s == OPEN_END_S:
        assert runs[-1].status == instance.update_status not in AT_REST, where
        assert bool(runs[-1].started_s) == (instance.update_status == "Updating"), where
    if instance.update_status == NOT_BACK.text:
        assert runs[-1].status == NOT_BACK.text, where


def _is_explained(run: UpdateRun) -> bool:
    return is_by_server(run.status) or run.status.startswith("Update completed, but ")


def _check_rollout(session: Session, rollout: Rollout, when: str) -> None:
    where = f"rollout of {rollout.os.image_id}: {when}"
    rules = RolloutRules.load(rollout.policy.rollout)
    members = session.scalars(
        select(RolloutMember).where(RolloutMember.rollout_id == rollout.id)
    ).all()
    states = Counter(member.state for member in members)
    if rules.max_at_once is not None:
        assert states[MemberState.OFFERED] <= rules.max_at_once, where
    if rollout.state is RolloutState.DONE:
        assert not states[MemberState.WAITING] + states[MemberState.OFFERED], where
    assert bool(rollout.end_s) == (rollout.state in {RolloutState.DONE, RolloutState.STOPPED}), (
        where
    )
    assert bool(rollout.reason) == (rollout.state in {RolloutState.PAUSED, RolloutState.STOPPED}), (
        where
    )
    for member in members:
        assert member.wave <= rollout.wave or member.state is MemberState.WAITING, where
        if member.state is MemberState.FAILED:
            assert _has_run(session, member, rollout.os, Indication.ERROR), where
        if member.state is MemberState.UPDATED:
            assert _has_run(session, member, rollout.os, Indication.IDLE), where


def _has_run(
    session: Session, member: RolloutMember, image: OSResource, indicator: Indication
) -> bool:
    ended = select(UpdateRun.id).where(
        UpdateRun.instance_id == member.instance_id,
        UpdateRun.image_id == image.image_id,
        UpdateRun.status_indicator == indicator,
        UpdateRun.end_s < OPEN_END_S,
    )
    return session.scalars(ended).first() is not None


def content(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Every record, with names in place of ids."""
    found = {}
    with database.reading() as session:
        names = _names(session)
        for table in Base.metadata.sorted_tables:
            columns = [one for one in table.columns if one.name not in NOT_COMPARED]
            rows = (row._asdict() for row in session.execute(select(*columns)))
            said = [{key: names.get(value, value) if isinstance(value, str) else value
                     for key, value in row.items()} for row in rows]  # fmt: skip
            found[table.name] = sorted(said, key=repr)
    return found


def _names(session: Session) -> dict[str, str]:
    """What each record is called, by its id."""
    named: dict[str, str] = {}
    named |= {one.id: f"host {one.name}" for one in _all(session, Host)}
    named |= {one.id: f"instance {one.name}" for one in _all(session, Instance)}
    named |= {one.id: f"image {one.image_id}" for one in _all(session, OSResource)}
    named |= {one.id: f"policy {one.name}" for one in _all(session, Policy)}
    runs = _all(session, UpdateRun)
    named |= {one.id: f"run {one.number} of {one.instance.name}" for one in runs}
    return named | {one: f"window {number}" for number, one in enumerate(_windows(session))}


def _all(session: Session, table: type[Row]) -> Sequence[Row]:
    return session.scalars(select(table)).unique().all()


def _windows(session: Session) -> list[str]:
    wanted = select(SingleSchedule.id).join(Host, Host.id == SingleSchedule.host_id)
    return list(session.scalars(wanted.order_by(Host.name)))
