# SPDX-License-Identifier: Apache-2.0
"""Policies: list them, make one, delete one that nothing refers to. None is ever changed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub.errors import HTTP_STATUS, Code, OrchestratorError
from orchestrator_stub.records import OSResource, Policy
from orchestrator_stub.rollouts import control
from orchestrator_stub.rollouts.rules import RolloutRules, RolloutWaveRule
from orchestrator_stub.vocabulary import PolicyKind
from orchestrator_stub.web import policy_form
from orchestrator_stub.web.clock import JOINED, span
from orchestrator_stub.web.forms import Form
from orchestrator_stub.web.queries_policies import PolicyUse, check_name, usable, uses
from orchestrator_stub.web.visit import Changing, Visit, Visiting, Writing, sentence
from puad.core.version import version_key

PATH: Final = "/policies"
MAX_TARGETS: Final = 500
_USUAL_WAVES: Final = "5, 25, 100"
KIND_TEXTS: Final = {
    PolicyKind.LATEST: "Update To Latest",
    PolicyKind.TARGET: "Update To Target",
}

router = APIRouter(include_in_schema=False, prefix=PATH)


@dataclass(frozen=True, slots=True)
class ShownPolicy:
    """One policy as the list shows it."""

    row: Policy
    kind: str
    use: PolicyUse
    waves: str
    limits: str


@router.get("")
def policies(visit: Visiting) -> Response:
    """List the policies."""
    with visit.reading() as session:
        found = uses(session, visit.project.uuid)
        rows = [
            ShownPolicy(
                row=row,
                kind=KIND_TEXTS.get(row.kind, "Unspecified"),
                use=found.get(row.id, PolicyUse()),
                waves=waves(row),
                limits=limits(row),
            )
            for row in usable(session, visit.project.uuid)
        ]
        return visit.page("policies.html", {"policies": rows})


@router.get("/new")
def new_policy(visit: Writing) -> Response:
    """Show the form of a new policy."""
    return _form(visit, Form({"kind": [PolicyKind.LATEST], "waves": [_USUAL_WAVES]}))


@router.post("")
def make_policy(visit: Changing) -> Response:
    """Make a policy."""
    try:
        wanted = policy_form.read(visit.form)
        with visit.services.database.writing() as session:
            target_id = wanted.target_os_id
            target = visit.mine(session, OSResource, target_id) if target_id else None
            check_name(session, visit.project.uuid, wanted.name)
            row = Policy(
                project_uuid=visit.project.uuid,
                name=wanted.name,
                description=wanted.description,
                kind=wanted.kind,
                target_os=target,
                rollout=wanted.rollout,
            )
            session.add(row)
    except OrchestratorError as error:
        return _form(visit, visit.form, sentence(error), HTTP_STATUS[error.code])
    return visit.to(PATH, f"Policy {wanted.name} is made. Link it to hosts next.")


@router.post("/{policy_id}/delete")
def delete_policy(visit: Changing, policy_id: str) -> Response:
    """Delete a policy that no host and no update run refers to, with its rollouts."""

    def change(session: Session) -> str:
        row = visit.mine(session, Policy, policy_id)
        use = uses(session, visit.project.uuid).get(row.id, PolicyUse())
        reason = why_kept(use)
        if reason:
            raise OrchestratorError(
                Code.FAILED_PRECONDITION, f"Policy {row.name} cannot be deleted: {reason}."
            )
        control.forget(session, row)
        session.delete(row)
        return f"Policy {row.name} is deleted."

    return visit.change(PATH, change)


def why_kept(use: PolicyUse) -> str:
    """Why a policy cannot be deleted; empty when it can."""
    counted = (
        (use.hosts, "host follows it", "hosts follow it"),
        (use.runs, "update run of the history names it", "update runs of the history name it"),
    )
    return ", and ".join(
        f"{count:,} {one if count == 1 else many}" for count, one, many in counted if count
    )


def waves(policy: Policy) -> str:
    """The waves of a policy in words; empty when it has none."""
    if not policy.rollout:
        return ""
    rules = RolloutRules.load(policy.rollout)
    steps = ", ".join(wave_text(wave) for wave in rules.waves)
    pause = f", with {span(rules.pause_seconds)} between waves" if rules.pause_seconds else ""
    return f"{steps} of the hosts{pause}"


def wave_text(wave: RolloutWaveRule) -> str:
    """How far a wave goes, in words."""
    return f"{wave.hosts:,}" if wave.hosts is not None else f"{wave.percent}{JOINED}%"


def limits(policy: Policy) -> str:
    """What stops the waves of a policy, in words; empty when nothing does."""
    if not policy.rollout:
        return ""
    rules = RolloutRules.load(policy.rollout)
    failed = [
        text
        for text in (
            f"{rules.max_failed:,} hosts" if rules.max_failed is not None else "",
            f"{rules.max_failed_percent}{JOINED}%" if rules.max_failed_percent is not None else "",
        )
        if text
    ]
    words = [f"stops when more than {' or '.join(failed)} of a wave fail"] if failed else []
    if rules.max_at_once is not None:
        words.append(f"at most {rules.max_at_once:,} hosts at once")
    return ", ".join(words)


def _form(visit: Visit, form: Form, error: str = "", status_code: int = 200) -> Response:
    with visit.reading() as session:
        rows = session.scalars(
            select(OSResource)
            .where(OSResource.project_uuid == visit.project.uuid)
            .order_by(OSResource.created_s.desc())
            .limit(MAX_TARGETS)
        ).all()
        values: dict[str, Any] = {
            "targets": _grouped(list(rows)),
            "values": form.values(),
            "error": error,
        }
        return visit.page("policy_new.html", values, status_code)


def _grouped(rows: list[OSResource]) -> list[tuple[str, list[OSResource]]]:
    newest_first = sorted(rows, key=lambda row: version_key(row.image_id), reverse=True)
    by_name = sorted(newest_first, key=lambda row: row.profile_name)
    return [(name, list(group)) for name, group in groupby(by_name, lambda row: row.profile_name)]
