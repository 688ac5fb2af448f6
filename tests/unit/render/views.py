# SPDX-License-Identifier: Apache-2.0
"""Views of nodes in every situation that an operator meets."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from puad.core.codes import Code
from puad.core.model import Assessment, Offer, Slot, SlotState
from puad.core.token import expiry_warning
from puad.render import (
    CauseView,
    HistoryView,
    HoldView,
    ImageView,
    NodeView,
    PastRunView,
    ProgressView,
    QuarantineView,
    RunView,
    ServerView,
    SlotsView,
    StatusView,
    WindowView,
    cause_from_code,
)

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
HASH = "ab" * 32
SLOT_A = Slot(
    "a", SlotState.BOOTED, Assessment.GOOD, None, None, 4 << 30, "13.1", "edge", sealed=True
)
SLOT_B = Slot(
    "b", SlotState.INACTIVE, Assessment.GOOD, None, None, 4 << 30, "13.0", "edge", sealed=True
)
ARMED_B = Slot(
    "b", SlotState.INACTIVE, Assessment.INDETERMINATE, 3, 0, 4 << 30, "13.2", "edge", sealed=True
)
WRITTEN_B = Slot("b", SlotState.INACTIVE, Assessment.BAD, None, None, 4 << 30)
SERVER = ServerView("https://orchestrator.example:8443", reachable=True, last_answer_at=NOW)
OFFER = Offer("edge/13.2/edge-13.2.raw.zst", "13.2", HASH, "edge")
IMAGE = ImageView("13.2", HASH, OFFER.url)
RUN = RunView("20261123T090000Z-3fa2b1c0", "DOWNLOADING", IMAGE, "b", 3, NOW - HOUR)
PROBE = cause_from_code(
    Code.PROBE_FAILED,
    "The required probe 'network' failed: no route to 192.0.2.1, asked for 60 s (slot b)",
)
EMERGENCY = cause_from_code(
    Code.PROBE_FAILED,
    "Slot b went to emergency mode: Dependency failed for local-fs.target",
    "systemd: Timed out waiting for device dev-till.device.\nsystemd: Failed to mount srv.mount.",
)
HELD = HoldView("hook 20-backup: the nightly copy runs", NOW - 0.5 * HOUR, NOW + HOUR, lasts=True)
REFUSED = CauseView(
    "server-unreachable",
    "The orchestrator could not be asked: the connection was refused (https://orchestrator.example)",
    "Check the network and server.url; puad tries again by itself.",
)

UP_TO_DATE = StatusView(
    node=NodeView("2f7fcf2c-0cd2-4f01-9aa5-e2c5c5b4f0a1", "edge", "13.1", "13.0"),
    decision="none",
    slots=(SLOT_A, SLOT_B),
    primary_slot="a",
    server=SERVER,
    wire_status="STATUS_TYPE_UP_TO_DATE",
)
OFFERED = replace(
    UP_TO_DATE,
    offer=OFFER,
    decision="install",
    window=WindowView(False, NOW + 7 * HOUR, NOW + 9 * HOUR),
    download_at=NOW + 3 * HOUR,
)
DOWNLOADING = replace(
    OFFERED,
    run=RUN,
    progress=ProgressView("fetch", 58 << 20, 138 << 20, 6_186_598, 14, 22_334_013),
    download_at=None,
    slots=(SLOT_A, WRITTEN_B),
    wire_status="STATUS_TYPE_DOWNLOADING",
)
PAUSED = replace(
    DOWNLOADING,
    progress=replace(DOWNLOADING.progress, bytes_s=None, left_s=None, paused="load 5.2 above 4.0"),
)
FROM_FOLDER = replace(DOWNLOADING, progress=ProgressView("fetch", 58 << 20, 138 << 20))
RETRYING = replace(
    DOWNLOADING,
    progress=ProgressView(),
    run=replace(
        RUN,
        attempts=2,
        retry_at=NOW + timedelta(minutes=2),
        cause=cause_from_code(Code.DOWNLOAD_UNREACHABLE, "The release service did not answer"),
    ),
)
STAGED = replace(
    DOWNLOADING,
    run=replace(RUN, state="STAGED"),
    progress=ProgressView(),
    wire_status="STATUS_TYPE_DOWNLOADED",
)
STAGED_BY_OPERATOR = replace(STAGED, run=replace(RUN, state="STAGED", operator=True))
STAGED_WITHOUT_CLOCK = replace(STAGED, clock_trusted=False)
STAGED_IN_OPEN_WINDOW = replace(STAGED, window=WindowView(True, NOW, None))
STAGED_WITHOUT_WINDOW = replace(STAGED, window=None)
STAGED_AND_HELD = replace(STAGED_IN_OPEN_WINDOW, run=replace(RUN, state="STAGED", hold=HELD))
ARMED = replace(
    STAGED,
    run=replace(RUN, state="ARMED"),
    slots=(SLOT_A, ARMED_B),
    primary_slot="b",
    wire_status="STATUS_TYPE_STARTED",
)
ASSESSING = replace(ARMED, run=replace(RUN, state="ASSESSING"))
DONE = replace(
    UP_TO_DATE,
    run=replace(RUN, state="DONE"),
    node=replace(UP_TO_DATE.node, image_id="13.2"),
    offer=OFFER,
    decision="already-booted",
)
FAILED = replace(
    OFFERED,
    run=replace(
        RUN,
        state="FAILED",
        attempts=8,
        retry_at=NOW + HOUR,
        cause=cause_from_code(Code.DOWNLOAD_UNREACHABLE, "The release service did not answer"),
    ),
    download_at=None,
    slots=(SLOT_A, WRITTEN_B),
    wire_status="STATUS_TYPE_FAILED",
)
ROLLED_BACK = replace(
    UP_TO_DATE,
    run=replace(RUN, state="ROLLED_BACK", cause=PROBE),
    offer=OFFER,
    decision="quarantined",
    quarantine=(QuarantineView(HASH, "13.2", "probe-failed", NOW),),
    wire_status="STATUS_TYPE_FAILED",
)
GOING_BACK = replace(ARMED, run=replace(RUN, state="ARMED", image=None, operator=True, slot="a"))
NEW = replace(
    UP_TO_DATE,
    server=ServerView("https://orchestrator.example:8443"),
    slots=(replace(SLOT_A, image_id=""), WRITTEN_B),
)
ALONE = replace(UP_TO_DATE, server=ServerView())
LONG_NAMES = replace(
    DOWNLOADING,
    node=replace(UP_TO_DATE.node, profile="edge-microvisor-toolkit", image_id="3.0.20260602.2200"),
    run=replace(RUN, image=ImageView("3.0.20260609.1000", HASH), operator=True),
    offer=replace(OFFER, image_id="3.0.20260609.1000"),
    slots=(replace(SLOT_A, image_id="3.0.20260602.2200"), ARMED_B),
)
TROUBLED = StatusView(
    node=NodeView("", "", ""),
    run=RunView(
        "", "IDLE", cause=cause_from_code(Code.BOOT_CONTROL_ABSENT, "Boot control is absent")
    ),
    server=ServerView("https://orchestrator.example", reachable=False, error=REFUSED),
    clock_trusted=False,
    decision="none",
    wire_status="STATUS_TYPE_FAILED",
)
TOKEN_ENDS = replace(
    UP_TO_DATE,
    server=replace(
        SERVER,
        token_expires_at=NOW + timedelta(days=9),
        token_warning=expiry_warning(NOW + timedelta(days=9), NOW),
    ),
)
TOKEN_EXPIRED = replace(
    UP_TO_DATE,
    server=replace(
        SERVER,
        reachable=False,
        error=cause_from_code(
            Code.SERVER_UNAUTHENTICATED, "The orchestrator does not accept the token: HTTP 401"
        ),
        token_expires_at=NOW - HOUR,
        token_warning=expiry_warning(NOW - HOUR, NOW),
    ),
)
HOSTILE = replace(
    ROLLED_BACK,
    run=replace(RUN, state="FAILED", cause=CauseView("internal", "a\x1b[2J\nb", "c\x07")),
    offer=replace(OFFER, image_id="13.2\x1b[31m"),
    progress=ProgressView("fetch", 1, 2, paused="a\x1b[2Jb"),
)

STATUS_VIEWS = {
    "new": NEW,
    "alone": ALONE,
    "up-to-date": UP_TO_DATE,
    "offered": OFFERED,
    "downloading": DOWNLOADING,
    "paused": PAUSED,
    "from-folder": FROM_FOLDER,
    "retrying": RETRYING,
    "staged": STAGED,
    "staged-by-operator": STAGED_BY_OPERATOR,
    "staged-without-clock": STAGED_WITHOUT_CLOCK,
    "staged-in-open-window": STAGED_IN_OPEN_WINDOW,
    "staged-without-window": STAGED_WITHOUT_WINDOW,
    "staged-and-held": STAGED_AND_HELD,
    "armed": ARMED,
    "assessing": ASSESSING,
    "done": DONE,
    "failed": FAILED,
    "rolled-back": ROLLED_BACK,
    "going-back": GOING_BACK,
    "long-names": LONG_NAMES,
    "troubled": TROUBLED,
    "token-ends": TOKEN_ENDS,
    "token-expired": TOKEN_EXPIRED,
    "hostile": HOSTILE,
}
SLOTS = SlotsView((SLOT_A, ARMED_B), "a", "b", "a", "systemd-boot")
LONE_SLOTS = SlotsView(
    (replace(SLOT_A, image_id="3.0.20260602.2200"), WRITTEN_B), "a", "a", "", "grub"
)
HISTORY = HistoryView(
    (
        PastRunView("r3", "ROLLED_BACK", IMAGE, "13.1", "b", NOW - HOUR, NOW, PROBE),
        PastRunView(
            "r2",
            "IDLE",
            IMAGE,
            "13.1",
            "b",
            NOW - 30 * HOUR,
            NOW - 4 * HOUR,
            cause_from_code(Code.CANCELLED, "Cancelled: by an operator at the node"),
            operator=True,
        ),
        PastRunView("r1", "DONE", ImageView("13.1"), "13.0", "a", NOW - 9 * HOUR, NOW - 8.9 * HOUR),
        PastRunView(
            "r0.5",
            "ROLLED_BACK",
            IMAGE,
            "13.1",
            "b",
            NOW - 12 * HOUR,
            NOW - 11 * HOUR,
            EMERGENCY,
            hold=HoldView("inhibitor apt: packages are unpacked (uid 0)", NOW - 12 * HOUR, NOW),
        ),
        PastRunView("r0", "FAILED"),
        PastRunView(
            "r-1",
            "DONE",
            ImageView("3.0.20260609.1000"),
            "3.0.20260602.2200",
            "b",
            NOW - 50 * HOUR,
            NOW - 49 * HOUR,
        ),
        PastRunView("r-2", "ROLLED_BACK", None, "13.2", "a", NOW - 60 * HOUR, NOW - 59 * HOUR),
    )
)
