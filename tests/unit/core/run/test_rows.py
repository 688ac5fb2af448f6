# SPDX-License-Identifier: Apache-2.0
"""Each row of the transition table: what one event makes of one state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any, TypeVarTuple, get_args

import pytest

from puad.core.actions import (
    Announce,
    Arm,
    Ask,
    Consult,
    Disarm,
    Forget,
    Install,
    Look,
    MarkBad,
    MarkGood,
    Reboot,
    Remember,
    StopInstall,
)
from puad.core.errors import Code
from puad.core.events import (
    Answered,
    Armed,
    CancelAsked,
    Consulted,
    Event,
    Failed,
    InstallAsked,
    Looked,
    Moment,
    NotAnswered,
    RetryAsked,
    RollbackAsked,
    RunAsked,
    Sealed,
    Started,
    Step,
    Ticked,
)
from puad.core.machine import OutOfOrderError, step
from puad.core.model import Assessment, Plan
from puad.core.run import Quarantined, Rules, Run, State
from puad.core.table import TABLE, Row, on
from puad.core.wire import StatusType
from tests.unit.core.run.conftest import World

S = State
Ts = TypeVarTuple("Ts")
Case = tuple[str, State, type, Callable[[World], tuple[Run, Event]], State, list[type]]
EVENTS = get_args(Event)


def case(
    name: str,
    state: State,
    event: type,
    build: Callable[[World], tuple[Run, Event]],
    after: State,
    *actions: type,
) -> Case:
    return name, state, event, build, after, list(actions)


def plain(state: State, event: type) -> Callable[[World], tuple[Run, Event]]:
    """A run in that state with nothing special, and the event with nothing special."""

    def build(w: World) -> tuple[Run, Event]:
        m = w.moment()
        made: dict[type, Event] = {
            Started: Started(m, w.facts(), Rules()),
            Looked: Looked(m, w.facts()),
            Ticked: Ticked(m),
            Answered: Answered(m, w.plan(), StatusType.UP_TO_DATE),
            NotAnswered: NotAnswered(m),
            Sealed: Sealed(m, "run-0"),
            Consulted: Consulted(m, "run-0", "hook backup"),
            Armed: Armed(m, "run-0"),
            Failed: Failed(
                m, "run-0", Step.INSTALL, Code.DOWNLOAD_REFUSED, "gone", transient=False
            ),
            RunAsked: RunAsked(m),
            InstallAsked: InstallAsked(m, w.other),
            CancelAsked: CancelAsked(m),
            RetryAsked: RetryAsked(m),
            RollbackAsked: RollbackAsked(m),
        }
        return w.run(state), made[event]

    return build


def given(
    build: Callable[[World, Moment, *Ts], tuple[Run, Event]], *values: *Ts
) -> Callable[[World], tuple[Run, Event]]:
    return lambda w: build(w, w.moment(), *values)


def fails(step_: Step, code: Code, *, transient: bool = False) -> Callable[[Moment, str], Failed]:
    return lambda m, run_id: Failed(m, run_id, step_, code, "why", transient=transient)


ENDS = (S.DONE, S.ROLLED_BACK, S.FAILED)
WAITING = (S.IDLE, *ENDS)

CASES: list[Case] = [
    # waiting for something to begin
    *(case("nothing is due", s, Ticked, plain(s, Ticked), s) for s in WAITING),
    *(case("facts are kept", s, Looked, plain(s, Looked), s) for s in WAITING),
    *(case("late seal is broken", s, Sealed, plain(s, Sealed), s, Disarm) for s in WAITING),
    *(case("stale", s, e, plain(s, e), s) for s in WAITING for e in (NotAnswered, Armed, Failed)),
    *(
        case("no window", s, Answered, plain(s, Answered), s)
        for s in (S.IDLE, S.ROLLED_BACK, S.FAILED)
    ),
    case(
        "window is open",
        S.IDLE,
        Answered,
        given(lambda w, m: (w.run(S.IDLE), Answered(m, w.plan(w.window()), StatusType.UP_TO_DATE))),
        S.DOWNLOADING,
        Install,
        Ask,
    ),
    case(
        "download time has come",
        S.IDLE,
        Ticked,
        given(lambda w, m: (w.run(S.IDLE, plan=w.plan(w.window())), Ticked(m))),
        S.DOWNLOADING,
        Install,
        Ask,
    ),
    case(
        "done is taken",
        S.DONE,
        Answered,
        given(
            lambda w, m: (
                w.run(S.DONE, told=False, facts=w.in_b(assessment=Assessment.GOOD)),
                Answered(m, w.plan(), StatusType.UPDATED, "run-1"),
            )
        ),
        S.IDLE,
    ),
    case(
        "failure is retried",
        S.FAILED,
        Ticked,
        given(
            lambda w, m: (
                w.run(S.FAILED, plan=w.plan(w.window()), retry_at=w.now - timedelta(seconds=1)),
                Ticked(m),
            )
        ),
        S.DOWNLOADING,
        Install,
        Ask,
    ),
    case(
        "released at the server",
        S.ROLLED_BACK,
        Answered,
        given(
            lambda w, m: (
                w.run(S.ROLLED_BACK, quarantine=(Quarantined(w.offer.file_hash, "2", w.cause()),)),
                Answered(
                    m, w.plan(), StatusType.FAILED, "run-1", clear_quarantine=(w.offer.file_hash,)
                ),
            )
        ),
        S.IDLE,
        Announce,
        Ask,
    ),
    # downloading
    case(
        "the run's own seal",
        S.DOWNLOADING,
        Sealed,
        given(lambda w, m: (w.run(S.DOWNLOADING), Sealed(m, "run-1", "1.5"))),
        S.STAGED,
        Ask,
    ),
    case("another run's seal", S.DOWNLOADING, Sealed, plain(S.DOWNLOADING, Sealed), S.DOWNLOADING),
    case(
        "may pass",
        S.DOWNLOADING,
        Failed,
        given(
            lambda w, m: (
                w.run(S.DOWNLOADING),
                fails(Step.INSTALL, Code.DOWNLOAD_UNREACHABLE, transient=True)(m, "run-1"),
            )
        ),
        S.DOWNLOADING,
    ),
    case(
        "too often",
        S.DOWNLOADING,
        Failed,
        given(
            lambda w, m: (
                w.run(S.DOWNLOADING).with_goal(attempts=8),
                fails(Step.INSTALL, Code.DOWNLOAD_UNREACHABLE, transient=True)(m, "run-1"),
            )
        ),
        S.FAILED,
        Disarm,
        Remember,
        Ask,
    ),
    case(
        "forged",
        S.DOWNLOADING,
        Failed,
        given(
            lambda w, m: (
                w.run(S.DOWNLOADING),
                fails(Step.INSTALL, Code.SIGNATURE_INVALID)(m, "run-1"),
            )
        ),
        S.FAILED,
        Disarm,
        Remember,
        Ask,
    ),
    case("another run's", S.DOWNLOADING, Failed, plain(S.DOWNLOADING, Failed), S.DOWNLOADING),
    case("no pause is over", S.DOWNLOADING, Ticked, plain(S.DOWNLOADING, Ticked), S.DOWNLOADING),
    case(
        "pause is over",
        S.DOWNLOADING,
        Ticked,
        given(lambda w, m: (w.run(S.DOWNLOADING).with_goal(retry_at=w.now), Ticked(m))),
        S.DOWNLOADING,
        Install,
    ),
    case("same plan", S.DOWNLOADING, Answered, plain(S.DOWNLOADING, Answered), S.DOWNLOADING),
    *(
        case(
            "withdrawn",
            s,
            Answered,
            given(lambda w, m, s: (w.run(s), Answered(m, Plan(), StatusType.DOWNLOADING)), s),
            S.IDLE,
            StopInstall,
            Disarm,
            Remember,
            Announce,
            Ask,
        )
        for s in (S.DOWNLOADING, S.STAGED)
    ),
    case(
        "another image",
        S.DOWNLOADING,
        Answered,
        given(
            lambda w, m: (
                w.run(S.DOWNLOADING),
                Answered(m, Plan(w.other, w.window(), w.now), StatusType.DOWNLOADING),
            )
        ),
        S.DOWNLOADING,
        StopInstall,
        Disarm,
        Remember,
        Announce,
        Install,
        Ask,
    ),
    case("facts", S.DOWNLOADING, Looked, plain(S.DOWNLOADING, Looked), S.DOWNLOADING),
    case("offline", S.DOWNLOADING, NotAnswered, plain(S.DOWNLOADING, NotAnswered), S.DOWNLOADING),
    *(case("stale", s, Armed, plain(s, Armed), s) for s in (S.DOWNLOADING, S.STAGED)),
    # staged
    case("no window", S.STAGED, Ticked, plain(S.STAGED, Ticked), S.STAGED),
    case("same plan", S.STAGED, Answered, plain(S.STAGED, Answered), S.STAGED),
    case(
        "window, fresh plan",
        S.STAGED,
        Ticked,
        given(lambda w, m: (w.run(S.STAGED, plan=w.plan(w.window())), Ticked(m))),
        S.ARMED,
        Arm,
        Ask,
    ),
    case(
        "window, old plan",
        S.STAGED,
        Ticked,
        given(lambda w, m: (w.run(S.STAGED, plan=w.plan(w.window(), age_s=61)), Ticked(m))),
        S.STAGED,
        Ask,
    ),
    case(
        "no answer, stored plan holds",
        S.STAGED,
        NotAnswered,
        given(
            lambda w, m: (
                w.run(S.STAGED, plan=w.plan(w.window(), age_s=999)).with_goal(asked_at=w.now),
                NotAnswered(m),
            )
        ),
        S.ARMED,
        Arm,
        Ask,
    ),
    case("offline, not asked", S.STAGED, NotAnswered, plain(S.STAGED, NotAnswered), S.STAGED),
    case("seal is gone", S.STAGED, Looked, plain(S.STAGED, Looked), S.DOWNLOADING, Install, Ask),
    case(
        "seal stands",
        S.STAGED,
        Looked,
        given(lambda w, m: (w.run(S.STAGED), Looked(m, w.facts(sealed=True)))),
        S.STAGED,
    ),
    *(case("stale", S.STAGED, e, plain(S.STAGED, e), S.STAGED) for e in (Sealed, Failed)),
    # staged, and somebody may defer the reboot
    case(
        "window, nobody asked yet",
        S.STAGED,
        Ticked,
        given(
            lambda w, m: (
                w.run(S.STAGED, plan=w.plan(w.window())).with_goal(released_at=None),
                Ticked(m),
            )
        ),
        S.STAGED,
        Consult,
    ),
    case(
        "no answer, nobody asked yet",
        S.STAGED,
        NotAnswered,
        given(
            lambda w, m: (
                w.run(S.STAGED, plan=w.plan(w.window(), age_s=999)).with_goal(
                    asked_at=w.now, released_at=None
                ),
                NotAnswered(m),
            )
        ),
        S.STAGED,
        Consult,
    ),
    case(
        "nobody defers",
        S.STAGED,
        Consulted,
        given(
            lambda w, m: (
                w.run(S.STAGED, plan=w.plan(w.window())).with_goal(released_at=None),
                Consulted(m, "run-1"),
            )
        ),
        S.ARMED,
        Arm,
        Ask,
    ),
    case(
        "nobody defers, but asking took long",
        S.STAGED,
        Consulted,
        given(
            lambda w, m: (
                w.run(S.STAGED, plan=w.plan(w.window(), age_s=61)).with_goal(
                    asked_at=w.now, released_at=None
                ),
                Consulted(m, "run-1"),
            )
        ),
        S.STAGED,
        Ask,
    ),
    case(
        "nobody defers, but the window has closed",
        S.STAGED,
        Consulted,
        given(lambda w, m: (w.run(S.STAGED), Consulted(m, "run-1"))),
        S.STAGED,
    ),
    case(
        "somebody defers",
        S.STAGED,
        Consulted,
        given(
            lambda w, m: (
                w.run(S.STAGED, plan=w.plan(w.window())),
                Consulted(m, "run-1", "hook backup"),
            )
        ),
        S.STAGED,
        Announce,
    ),
    case(
        "somebody defers, an operator does not mind",
        S.STAGED,
        Consulted,
        given(
            lambda w, m: (
                w.run(S.STAGED).with_goal(by_operator=True),
                Consulted(m, "run-1", "hook backup"),
            )
        ),
        S.ARMED,
        Announce,
        Arm,
        Ask,
    ),
    case(
        "somebody would defer the way back",
        S.ARMED,
        Consulted,
        given(
            lambda w, m: (
                w.run(S.ARMED).with_goal(undo=True, slot="a"),
                Consulted(m, "run-1", "hook backup"),
            )
        ),
        S.ARMED,
        Announce,
    ),
    case(
        "nobody would defer the way back",
        S.ARMED,
        Consulted,
        given(lambda w, m: (w.run(S.ARMED).with_goal(undo=True, slot="a"), Consulted(m, "run-1"))),
        S.ARMED,
    ),
    *(case("another run's", s, Consulted, plain(s, Consulted), s) for s in State),
    # armed
    case(
        "target is set",
        S.ARMED,
        Armed,
        given(lambda w, m: (w.run(S.ARMED), Armed(m, "run-1"))),
        S.ARMED,
        Ask,
        Reboot,
    ),
    case("another run's", S.ARMED, Armed, plain(S.ARMED, Armed), S.ARMED),
    case(
        "cannot be armed",
        S.ARMED,
        Failed,
        given(lambda w, m: (w.run(S.ARMED), fails(Step.ARM, Code.ARM_REFUSED)(m, "run-1"))),
        S.FAILED,
        Disarm,
        Remember,
        Ask,
    ),
    case(
        "cannot be armed now",
        S.ARMED,
        Failed,
        given(
            lambda w, m: (
                w.run(S.ARMED).with_goal(attempts=1),
                fails(Step.ARM, Code.BOOT_CONTROL_TIMEOUT, transient=True)(m, "run-1"),
            )
        ),
        S.DOWNLOADING,
        Ask,
    ),
    case(
        "cannot be armed too often",
        S.ARMED,
        Failed,
        given(
            lambda w, m: (
                w.run(S.ARMED).with_goal(attempts=8),
                fails(Step.ARM, Code.BOOT_CONTROL_TIMEOUT, transient=True)(m, "run-1"),
            )
        ),
        S.FAILED,
        Disarm,
        Remember,
        Ask,
    ),
    case(
        "reboot is refused",
        S.ARMED,
        Failed,
        given(
            lambda w, m: (
                w.run(S.ARMED),
                fails(Step.REBOOT, Code.REBOOT_FAILED, transient=True)(m, "run-1"),
            )
        ),
        S.FAILED,
        Disarm,
        Remember,
        Ask,
    ),
    case(
        "rollback cannot begin",
        S.ARMED,
        Failed,
        given(
            lambda w, m: (
                w.run(S.ARMED).with_goal(undo=True, slot="a"),
                fails(Step.MARK, Code.BOOT_CONTROL_REFUSED)(m, "run-1"),
            )
        ),
        S.FAILED,
        MarkGood,
        Remember,
        Ask,
    ),
    case("another run's", S.ARMED, Failed, plain(S.ARMED, Failed), S.ARMED),
    case(
        "reboot without an answer",
        S.ARMED,
        Failed,
        given(
            lambda w, m: (
                w.run(S.ARMED),
                fails(Step.REBOOT, Code.BOOT_CONTROL_ABSENT, transient=True)(m, "run-1"),
            )
        ),
        S.ARMED,
    ),
    case("goes down", S.ARMED, Ticked, plain(S.ARMED, Ticked), S.ARMED),
    case(
        "still up",
        S.ARMED,
        Ticked,
        given(
            lambda w, m: (
                w.run(S.ARMED).with_goal(reboot_at=w.now - timedelta(minutes=5)),
                Ticked(m),
            )
        ),
        S.FAILED,
        Disarm,
        Remember,
        Ask,
    ),
    case("facts", S.ARMED, Looked, plain(S.ARMED, Looked), S.ARMED),
    *(
        case("goes to its end", s, e, plain(s, e), s)
        for s in (S.ARMED, S.ASSESSING)
        for e in (Answered, NotAnswered, Sealed)
    ),
    # assessing
    case("asks the facts", S.ASSESSING, Ticked, plain(S.ASSESSING, Ticked), S.ASSESSING, Look),
    *(case("stale", S.ASSESSING, e, plain(S.ASSESSING, e), S.ASSESSING) for e in (Armed, Failed)),
    case(
        "no verdict yet",
        S.ASSESSING,
        Looked,
        given(lambda w, m: (w.run(S.ASSESSING), Looked(m, w.in_b()))),
        S.ASSESSING,
    ),
    case(
        "good, read back",
        S.ASSESSING,
        Looked,
        given(
            lambda w, m: (
                w.run(S.ASSESSING),
                Looked(
                    m,
                    replace(w.in_b(assessment=Assessment.GOOD), verdict=w.verdict(good=True)),
                ),
            )
        ),
        S.DONE,
        Remember,
        Forget,
        Ask,
    ),
    case(
        "good verdict, not read back",
        S.ASSESSING,
        Looked,
        given(
            lambda w, m: (
                w.run(S.ASSESSING),
                Looked(m, replace(w.in_b(), verdict=w.verdict(good=True))),
            )
        ),
        S.ASSESSING,
    ),
    case(
        "marked good without a verdict",
        S.ASSESSING,
        Looked,
        given(lambda w, m: (w.run(S.ASSESSING), Looked(m, w.in_b(assessment=Assessment.GOOD)))),
        S.FAILED,
        Remember,
        Ask,
    ),
    case(
        "marked good over a bad verdict",
        S.ASSESSING,
        Looked,
        given(
            lambda w, m: (
                w.run(S.ASSESSING),
                Looked(
                    m, replace(w.in_b(assessment=Assessment.GOOD), verdict=w.verdict(good=False))
                ),
            )
        ),
        S.FAILED,
        Remember,
        Ask,
    ),
    case(
        "not the image that was promised",
        S.ASSESSING,
        Looked,
        given(
            lambda w, m: (
                w.run(S.ASSESSING),
                Looked(m, replace(w.in_b(assessment=Assessment.GOOD), image_id="9")),
            )
        ),
        S.FAILED,
        Remember,
        Ask,
    ),
    case(
        "not of the profile that was promised",
        S.ASSESSING,
        Looked,
        given(
            lambda w, m: (
                w.run(S.ASSESSING),
                Looked(m, replace(w.in_b(assessment=Assessment.GOOD), profile="kiosk")),
            )
        ),
        S.FAILED,
        Remember,
        Ask,
    ),
    case(
        "bad verdict, health reboots",
        S.ASSESSING,
        Looked,
        given(
            lambda w, m: (
                w.run(S.ASSESSING),
                Looked(m, replace(w.in_b(), verdict=w.verdict(good=False))),
            )
        ),
        S.ASSESSING,
    ),
    case(
        "bad verdict, nowhere to go",
        S.ASSESSING,
        Looked,
        given(
            lambda w, m: (
                w.run(S.ASSESSING),
                Looked(
                    m,
                    replace(w.in_b(), verdict=w.verdict(good=False), slots=w.in_b().slots[1:]),
                ),
            )
        ),
        S.FAILED,
        Remember,
        Ask,
    ),
    # starting
    *(
        case("as it was", s, Started, plain(s, Started), s)
        for s in (S.IDLE, S.ROLLED_BACK, S.FAILED)
    ),
    case("left again", S.DONE, Started, plain(S.DONE, Started), S.ROLLED_BACK, Remember, Ask),
    case(
        "still there",
        S.DONE,
        Started,
        given(lambda w, m: (w.run(S.DONE), Started(m, w.in_b(), Rules()))),
        S.DONE,
    ),
    case("goes on", S.DOWNLOADING, Started, plain(S.DOWNLOADING, Started), S.DOWNLOADING, Install),
    case("seals again", S.STAGED, Started, plain(S.STAGED, Started), S.DOWNLOADING, Install, Ask),
    case(
        "seal stands",
        S.STAGED,
        Started,
        given(lambda w, m: (w.run(S.STAGED), Started(m, w.facts(sealed=True), Rules()))),
        S.STAGED,
    ),
    *(
        case(
            "in the new slot",
            s,
            Started,
            given(lambda w, m, s: (w.run(s), Started(m, w.in_b(), Rules())), s),
            S.ASSESSING,
            *(() if s is S.ASSESSING else (Ask,)),
        )
        for s in (S.DOWNLOADING, S.STAGED, S.ARMED, S.ASSESSING)
    ),
    case(
        "restarted before the reboot, window open",
        S.ARMED,
        Started,
        given(
            lambda w, m: (
                w.run(S.ARMED, plan=w.plan(w.window())),
                Started(m, w.facts(), Rules()),
            )
        ),
        S.ARMED,
        Arm,
    ),
    case(
        "restarted before the reboot, window closed",
        S.ARMED,
        Started,
        plain(S.ARMED, Started),
        S.DOWNLOADING,
        Disarm,
        Install,
        Ask,
    ),
    case(
        "restarted in a rollback",
        S.ARMED,
        Started,
        given(
            lambda w, m: (
                w.run(S.ARMED).with_goal(undo=True, slot="a", armed_in="boot-2"),
                Started(m, w.in_b(), Rules()),
            )
        ),
        S.ARMED,
        MarkBad,
    ),
    case(
        "power was cut before arming",
        S.ARMED,
        Started,
        given(lambda w, m: (w.run(S.ARMED), Started(m, w.facts(boot_id="boot-9"), Rules()))),
        S.DOWNLOADING,
        Install,
        Ask,
    ),
    case(
        "fell back",
        S.ARMED,
        Started,
        given(
            lambda w, m: (
                w.run(S.ARMED),
                Started(m, w.facts(boot_id="boot-9", tries_left=0, tries_done=3), Rules()),
            )
        ),
        S.ROLLED_BACK,
        Remember,
        Ask,
    ),
    case(
        "armed but not tried",
        S.ARMED,
        Started,
        given(
            lambda w, m: (
                w.run(S.ARMED),
                Started(
                    m,
                    replace(w.facts(boot_id="boot-9", tries_left=3), primary_slot="b"),
                    Rules(),
                ),
            )
        ),
        S.FAILED,
        Disarm,
        Remember,
        Ask,
    ),
    case(
        "rolled back by an operator",
        S.ARMED,
        Started,
        given(
            lambda w, m: (
                w.run(S.ARMED).with_goal(undo=True, slot="a", armed_in="boot-2"),
                Started(m, w.facts(boot_id="boot-3"), Rules()),
            )
        ),
        S.ROLLED_BACK,
        Remember,
        Ask,
    ),
    case(
        "operator's rollback not taken",
        S.ARMED,
        Started,
        given(
            lambda w, m: (
                w.run(S.ARMED).with_goal(undo=True, slot="a", armed_in="boot-2"),
                Started(m, replace(w.in_b(), boot_id="boot-3"), Rules()),
            )
        ),
        S.FAILED,
        Remember,
        Ask,
    ),
    case(
        "fell back in the assessment",
        S.ASSESSING,
        Started,
        plain(S.ASSESSING, Started),
        S.ROLLED_BACK,
        Remember,
        Ask,
    ),
    # the operator's word
    *(
        case("runs now", s, RunAsked, plain(s, RunAsked), S.DOWNLOADING, Install, Ask)
        for s in WAITING
    ),
    *(
        case("installs now", s, InstallAsked, plain(s, InstallAsked), S.DOWNLOADING, Install, Ask)
        for s in WAITING
    ),
    case("hastens", S.DOWNLOADING, RunAsked, plain(S.DOWNLOADING, RunAsked), S.DOWNLOADING),
    case("asks who defers", S.STAGED, RunAsked, plain(S.STAGED, RunAsked), S.STAGED, Consult),
    *(
        case(
            "stops",
            s,
            CancelAsked,
            plain(s, CancelAsked),
            S.IDLE,
            StopInstall,
            Disarm,
            Remember,
            Announce,
            Ask,
        )
        for s in (S.DOWNLOADING, S.STAGED)
    ),
    *(
        case("released", s, RetryAsked, plain(s, RetryAsked), after, Announce, Ask)
        for s, after in ((S.IDLE, S.IDLE), (S.DONE, S.DONE), (S.FAILED, S.IDLE))
    ),
    case(
        "released",
        S.ROLLED_BACK,
        RetryAsked,
        plain(S.ROLLED_BACK, RetryAsked),
        S.IDLE,
        Announce,
        Ask,
    ),
    *(case("hastens", s, RetryAsked, plain(s, RetryAsked), s) for s in (S.DOWNLOADING, S.STAGED)),
    *(
        case("goes back", s, RollbackAsked, plain(s, RollbackAsked), S.ARMED, Consult, MarkBad, Ask)
        for s in WAITING
    ),
    *(
        case("refused beforehand", s, e, plain(s, e), s)
        for s in (S.ARMED, S.ASSESSING)
        for e in (RunAsked, InstallAsked, CancelAsked, RetryAsked, RollbackAsked)
    ),
    *(
        case("refused beforehand", s, e, plain(s, e), s)
        for s in (S.DOWNLOADING, S.STAGED)
        for e in (InstallAsked, RollbackAsked)
    ),
    *(case("refused beforehand", s, CancelAsked, plain(s, CancelAsked), s) for s in WAITING),
    case(
        "booted although it failed",
        S.FAILED,
        Started,
        given(lambda w, m: (w.run(S.FAILED), Started(m, w.in_b(), Rules()))),
        S.ASSESSING,
        Ask,
    ),
    case(
        "good although it failed",
        S.FAILED,
        Started,
        given(
            lambda w, m: (
                w.run(S.FAILED),
                Started(
                    m,
                    replace(w.in_b(assessment=Assessment.GOOD), verdict=w.verdict(good=True)),
                    Rules(),
                ),
            )
        ),
        S.DONE,
        Remember,
        Forget,
        Ask,
    ),
    case(
        "still armed although it failed",
        S.FAILED,
        Started,
        given(
            lambda w, m: (
                w.run(S.FAILED),
                Started(m, replace(w.facts(tries_left=2), primary_slot="b"), Rules()),
            )
        ),
        S.FAILED,
        Disarm,
    ),
    case(
        "still armed although it failed",
        S.FAILED,
        Looked,
        given(
            lambda w, m: (
                w.run(S.FAILED),
                Looked(m, replace(w.facts(tries_left=2), primary_slot="b")),
            )
        ),
        S.FAILED,
        Disarm,
    ),
    case(
        "left long after it was done",
        S.IDLE,
        Started,
        given(
            lambda w, m: (
                w.run(S.IDLE, installed=w.offer),
                Started(m, w.facts(assessment=Assessment.BAD, image_id="2"), Rules()),
            )
        ),
        S.ROLLED_BACK,
        Remember,
        Ask,
    ),
    case(
        "looked before the seal",
        S.STAGED,
        Looked,
        given(
            lambda w, m: (
                w.run(S.STAGED).with_goal(asked_at=w.now + timedelta(milliseconds=1)),
                Looked(m, w.facts()),
            )
        ),
        S.STAGED,
    ),
    # straight to an end, from a start in the new slot
    *(
        case(
            "good already",
            s,
            Started,
            given(
                lambda w, m, s: (
                    w.run(s),
                    Started(
                        m,
                        replace(w.in_b(assessment=Assessment.GOOD), verdict=w.verdict(good=True)),
                        Rules(),
                    ),
                ),
                s,
            ),
            S.DONE,
            Remember,
            Forget,
            Ask,
        )
        for s in (S.DOWNLOADING, S.STAGED, S.ARMED, S.ASSESSING)
    ),
    *(
        case(
            "good, but not the image that was promised",
            s,
            Started,
            given(
                lambda w, m, s: (
                    w.run(s),
                    Started(m, replace(w.in_b(assessment=Assessment.GOOD), image_id="9"), Rules()),
                ),
                s,
            ),
            S.FAILED,
            Remember,
            Ask,
        )
        for s in (S.DOWNLOADING, S.STAGED, S.ARMED, S.ASSESSING)
    ),
    # the store is lost
    case(
        "lost in the new slot",
        S.IDLE,
        Started,
        given(lambda w, m: (Run(), Started(m, w.in_b(), Rules(), store_lost=True))),
        S.ASSESSING,
        Announce,
        Ask,
    ),
    case(
        "lost in the new slot, nowhere to go",
        S.IDLE,
        Started,
        given(
            lambda w, m: (
                Run(),
                Started(
                    m,
                    replace(w.in_b(), verdict=w.verdict(good=False), slots=w.in_b().slots[1:]),
                    Rules(),
                    store_lost=True,
                ),
            )
        ),
        S.FAILED,
        Announce,
        Remember,
        Ask,
    ),
    case(
        "lost after the fallback",
        S.IDLE,
        Started,
        given(
            lambda w, m: (
                Run(),
                Started(m, w.facts(tries_left=0, tries_done=3), Rules(), store_lost=True),
            )
        ),
        S.ROLLED_BACK,
        Announce,
        Remember,
        Ask,
    ),
    case(
        "first start",
        S.IDLE,
        Started,
        given(lambda w, m: (Run(), Started(m, w.facts(), Rules(), store_lost=True))),
        S.IDLE,
    ),
    # after a run that ended
    *(
        case(
            "newer image in a window",
            s,
            Answered,
            given(
                lambda w, m, s: (
                    w.run(s),
                    Answered(m, Plan(w.other, w.window(), w.now), StatusType.FAILED),
                ),
                s,
            ),
            S.DOWNLOADING,
            Install,
            Ask,
        )
        for s in ENDS
    ),
    *(
        case(
            "newer image, download time has come",
            s,
            Ticked,
            given(lambda w, m, s: (w.run(s, plan=Plan(w.other, w.window(), w.now)), Ticked(m)), s),
            S.DOWNLOADING,
            Install,
            Ask,
        )
        for s in (S.DONE, S.ROLLED_BACK)
    ),
    case(
        "released at the server",
        S.FAILED,
        Answered,
        given(
            lambda w, m: (
                w.run(S.FAILED, quarantine=(Quarantined(w.offer.file_hash, "2", w.cause()),)),
                Answered(
                    m, w.plan(), StatusType.FAILED, "run-1", clear_quarantine=(w.offer.file_hash,)
                ),
            )
        ),
        S.IDLE,
        Announce,
        Ask,
    ),
    # staged, and the answer changes something
    case(
        "another image in a window",
        S.STAGED,
        Answered,
        given(
            lambda w, m: (
                w.run(S.STAGED),
                Answered(m, Plan(w.other, w.window(), w.now), StatusType.DOWNLOADED),
            )
        ),
        S.DOWNLOADING,
        StopInstall,
        Disarm,
        Remember,
        Announce,
        Install,
        Ask,
    ),
    case(
        "fresh plan, open window",
        S.STAGED,
        Answered,
        given(
            lambda w, m: (w.run(S.STAGED), Answered(m, w.plan(w.window()), StatusType.DOWNLOADED))
        ),
        S.ARMED,
        Arm,
        Ask,
    ),
    case("told", S.DONE, Answered, plain(S.DONE, Answered), S.IDLE),
]


@pytest.mark.parametrize(
    ("build", "after", "actions"),
    [(c[3], c[4], c[5]) for c in CASES],
    ids=[f"{c[1]}-{c[2].__name__}-{c[0]}" for c in CASES],
)
def test_row(
    world: World,
    build: Callable[[World], tuple[Run, Event]],
    after: State,
    actions: list[type],
) -> None:
    run, event = build(world)

    changed, performed = step(run, event)

    assert (changed.state, [type(action) for action in performed]) == (after, actions)


@pytest.mark.parametrize(
    "pair", list(product(State, EVENTS)), ids=lambda p: f"{p[0]}-{p[1].__name__}"
)
def test_table_has_a_row_and_a_case_for_each_pair(pair: tuple[State, type]) -> None:
    assert pair in TABLE
    assert any((c[1], c[2]) == pair for c in CASES)


def test_table_reaches_every_target_that_it_names() -> None:
    seen = {(c[1], c[2], c[4]) for c in CASES}
    named = {(*key, target) for key, row in TABLE.items() for target in row.targets - {key[0]}}

    assert named == {path for path in seen if path[2] is not path[0]}


def test_step_unknown_pair_is_a_bug(world: World) -> None:
    class Unheard:
        pass

    unheard: Any = Unheard()
    with pytest.raises(OutOfOrderError, match="Unheard has no rule in IDLE"):
        step(world.run(State.IDLE), unheard)


def test_step_rule_that_leaves_its_row_is_a_bug(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stray = Row(lambda run, _: (replace(run, state=State.DONE), ()), frozenset({State.IDLE}))
    monkeypatch.setitem(TABLE, (State.IDLE, Ticked), stray)

    with pytest.raises(OutOfOrderError, match="led from IDLE to DONE"):
        step(world.run(State.IDLE), Ticked(world.moment()))


def test_on_second_rule_for_a_pair_is_a_bug() -> None:
    with pytest.raises(OutOfOrderError, match="two rules for Ticked in IDLE"):
        on(State.IDLE, Ticked)(lambda run, _: (run, ()))


def test_change_of_state_asks_the_server_once(world: World) -> None:
    run = world.run(State.STAGED, plan=world.plan(world.window()))

    _, actions = step(run, Ticked(world.moment()))

    assert actions.count(Ask()) == 1
