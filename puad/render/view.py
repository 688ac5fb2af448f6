# SPDX-License-Identifier: Apache-2.0
"""What a node shows of itself: the values behind `puadctl`, `Agent1.Status` and sd_notify STATUS.

These classes *are* the stable JSON interface of docs/puadctl-json.md: a field here is a key there,
in this order. So: add fields with a default, never rename or remove one, and keep to plain values.
The run's own type may change from release to release; this one may not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from puad.core.errors import EXPLANATIONS, Code, PuadError
from puad.core.model import Offer, Slot
from puad.core.past_run import PastRun

API_VERSION: Final = "puad/v1"
IDLE: Final = "IDLE"


@dataclass(frozen=True, slots=True)
class NodeView:
    """Who this node is and what it runs: GUID, OS profile, image id, version floor or None."""

    guid: str
    profile: str
    image_id: str
    version_floor: str | None = None


@dataclass(frozen=True, slots=True)
class ImageView:
    """An image: its id, its file hash, and its path in the signed repository."""

    image_id: str
    file_hash: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class CauseView:
    """Why something failed: a word of `puad.core.errors.Code`, a sentence, what to do next.

    `log` holds the last lines of what failed, as far as there are any.
    """

    code: str
    text: str
    hint: str = ""
    log: str = ""


def cause_of(error: PuadError) -> CauseView:
    """The view of an error."""
    return CauseView(code=error.code.value, text=str(error), hint=error.hint)


def cause_from_code(code: Code, text: str, log: str = "") -> CauseView:
    """The view of a stored cause: its code brings the hint."""
    return CauseView(code=code.value, text=text, hint=EXPLANATIONS[code].hint, log=log)


@dataclass(frozen=True, slots=True)
class HoldView:
    """Who defers the reboot, since when, and until when or when they are asked again.

    `lasts` is false when they have let go or were overridden.
    """

    by: str
    since: datetime
    until: datetime | None = None
    lasts: bool = False


@dataclass(frozen=True, slots=True)
class RunView:
    """The update run, or the last one that ended.

    Attributes:
        id: The run id.
        state: A word of the run's states: IDLE, DOWNLOADING, STAGED, ARMED, …
        image: What it installs; None when an operator goes back to the other slot.
        slot: The slot that it installs to.
        tries: Boots that the new slot gets.
        started_at: When it started, UTC.
        cause: Why it failed; None while it has not.
        attempts: Downloads that failed so far and are tried again.
        retry_at: When the next one starts, UTC; None when none waits.
        operator: Whether an operator asked for it: then it waits for no window.
        hold: Who defers its reboot, or did so last; None when nobody has.
    """

    id: str
    state: str
    image: ImageView | None = None
    slot: str = ""
    tries: int = 0
    started_at: datetime | None = None
    cause: CauseView | None = None
    attempts: int = 0
    retry_at: datetime | None = None
    operator: bool = False
    hold: HoldView | None = None


@dataclass(frozen=True, slots=True)
class ProgressView:
    """How far the run's present phase is.

    Attributes:
        phase: `fetch`, `seal` or empty.
        done_bytes: Image bytes that are where they belong.
        total_bytes: Image bytes in all.
        bytes_s: Image bytes a second of late; None while nobody knows.
        left_s: How many seconds the phase takes at that; None while nobody knows.
        fetched_bytes: What came over the network for this install.
        paused: Why it pauses; empty when it does not.
    """

    phase: str = ""
    done_bytes: int = 0
    total_bytes: int = 0
    bytes_s: int | None = None
    left_s: int | None = None
    fetched_bytes: int = 0
    paused: str = ""


@dataclass(frozen=True, slots=True)
class WindowView:
    """The maintenance window that is open or comes next, UTC; `end` None when it stays open."""

    open: bool
    start: datetime
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class QuarantineView:
    """An image that is not tried again by itself; `cause` is a word of `Code`."""

    file_hash: str
    image_id: str = ""
    cause: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ServerView:
    """The orchestrator: its address, how the last call went, and how long the token is good.

    Attributes:
        url: Its address; empty when none is configured.
        reachable: Whether the last call was answered; None before the first.
        last_answer_at: When a call was answered last, UTC.
        error: Why the last one was not.
        token_expires_at: When the token ends by what it says itself, UTC; None: it does not say.
        token_warning: A sentence from two weeks before that on; empty before.
    """

    url: str = ""
    reachable: bool | None = None
    last_answer_at: datetime | None = None
    error: CauseView | None = None
    token_expires_at: datetime | None = None
    token_warning: str = ""


@dataclass(frozen=True, slots=True)
class StatusView:
    """Everything that `puadctl status` shows.

    Attributes:
        node: Who this node is.
        run: The run, or the last one; None when there was none.
        progress: How far it is.
        offer: What the orchestrator wants here; None without a policy.
        decision: What the node makes of the offer, a word of `puad.core.decision.Decision`.
        window: The window that is open or comes next; None when no schedule opens one.
        download_at: When the download starts, UTC; None when none is planned.
        quarantine: Images that are not tried again by themselves.
        slots: Every slot, as boot control describes it; empty when it does not answer.
        primary_slot: The slot that the boot loader tries first next time.
        clock_trusted: Whether the clock is good enough to open windows.
        server: The orchestrator.
        wire_status: What the orchestrator is told, `STATUS_TYPE_…`.
        api_version: The version of this form.
    """

    node: NodeView
    run: RunView | None = None
    progress: ProgressView = field(default_factory=ProgressView)
    offer: Offer | None = None
    decision: str = ""
    window: WindowView | None = None
    download_at: datetime | None = None
    quarantine: tuple[QuarantineView, ...] = ()
    slots: tuple[Slot, ...] = ()
    primary_slot: str = ""
    clock_trusted: bool = True
    server: ServerView = field(default_factory=ServerView)
    wire_status: str = ""
    api_version: str = API_VERSION

    @property
    def state(self) -> str:
        """The run's state; IDLE when there is no run."""
        return self.run.state if self.run else IDLE


@dataclass(frozen=True, slots=True)
class PastRunView:
    """One update run that ended.

    Attributes:
        id: The run id.
        state: The state it ended in: DONE, ROLLED_BACK, FAILED or IDLE (cancelled).
        image: What it installed; None when an operator went back to the other slot.
        from_image_id: What the node ran when it started; empty when that is not known.
        slot: The slot that was to be booted.
        started_at: When it started, UTC.
        finished_at: When it ended, UTC.
        cause: Why it failed; None when it did not.
        operator: Whether an operator asked for it.
        hold: Who deferred its reboot; None when nobody did.
    """

    id: str
    state: str
    image: ImageView | None = None
    from_image_id: str = ""
    slot: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cause: CauseView | None = None
    operator: bool = False
    hold: HoldView | None = None


def past_run_view(past: PastRun) -> PastRunView:
    """The view of a past run."""
    image, cause, hold = past.image, past.cause, past.hold
    return PastRunView(
        id=past.run_id,
        state=past.state,
        image=ImageView(image.image_id, image.file_hash, image.url) if image else None,
        from_image_id=past.from_image_id,
        slot=past.slot,
        started_at=past.started_at,
        finished_at=past.finished_at,
        cause=cause_from_code(cause.code, cause.text, cause.log) if cause else None,
        operator=past.by_operator,
        hold=HoldView(hold.by, hold.since, hold.until) if hold else None,
    )


@dataclass(frozen=True, slots=True)
class HistoryView:
    """Past update runs, newest first."""

    runs: tuple[PastRunView, ...] = ()
    api_version: str = API_VERSION


@dataclass(frozen=True, slots=True)
class SlotsView:
    """The slots and what the boot loader will do with them, straight from boot control."""

    slots: tuple[Slot, ...]
    booted_slot: str = ""
    primary_slot: str = ""
    fallback_slot: str = ""
    backend: str = ""
    api_version: str = API_VERSION
