# SPDX-License-Identifier: Apache-2.0
"""Rollouts: how far an image has got through its waves; pause, resume, stop."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from orchestrator_stub.records import Rollout
from orchestrator_stub.rollouts import control
from orchestrator_stub.rollouts.reason import MAX_REASON_CHARS
from orchestrator_stub.web import live, queries_rollouts, rendering
from orchestrator_stub.web.visit import Changing, Visit, Visiting

PATH: Final = "/rollouts"

router = APIRouter(include_in_schema=False, prefix=PATH)


class Wish(StrEnum):
    """What an operator wants of a rollout."""

    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"


_DONE: Final = {
    Wish.PAUSE: "is paused: no further host starts an update.",
    Wish.RESUME: "goes on.",
    Wish.STOP: "is stopped: the image is offered to nobody any more.",
}


@router.get("")
def rollouts(visit: Visiting) -> Response:
    """List the rollouts."""
    with visit.reading() as session:
        values = {"rollouts": queries_rollouts.newest(session, visit.project.uuid)}
        return visit.page("rollouts.html", values)


@router.get("/live")
async def live_rollouts(request: Request) -> Response:
    """The rollouts that change."""

    def parts(visit: Visit) -> live.Parts:
        with visit.reading() as session:
            return {
                one.row.id: rendering.text("rollout.html", {**visit.common(), "one": one})
                for one in queries_rollouts.newest(session, visit.project.uuid)
            }

    return live.stream(request, parts)


@router.post("/{rollout_id}/{wish}")
def steer(visit: Changing, rollout_id: str, wish: Wish) -> Response:
    """Pause, resume or stop a rollout."""

    def change(session: Session) -> str:
        row = visit.mine(session, Rollout, rollout_id)
        why = visit.form.text("reason", "Why", MAX_REASON_CHARS)
        match wish:
            case Wish.PAUSE:
                control.pause(session, row, visit.visitor.name, why)
            case Wish.RESUME:
                control.resume(session, row)
            case Wish.STOP:
                control.stop(session, row, visit.visitor.name, why, visit.now_s)
        return f"The rollout of {row.os.name} {_DONE[wish]}"

    return visit.change(PATH, change)
