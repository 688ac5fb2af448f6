# SPDX-License-Identifier: Apache-2.0
"""The journal: what puad tells the node's operator.

The steps of an update go to the journal natively: each kind of entry has a constant MESSAGE_ID, to
filter and to explain it by (`journalctl -x`, systemd/puad.catalog), and carries the run, its state,
slot and image as fields of their own. Everything else is plain `logging`. No entry holds a token
or any other secret.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from enum import StrEnum
from typing import Final

import systemd.journal

PUAD: Final = "puad"
"""The daemon, as the journal names it."""

_MAX_TEXT: Final = 4096
_FORMAT: Final = "%(asctime)s %(levelname)s {teller}: %(message)s"
_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"
_NOTICE: Final = 5  # between INFO and WARNING; `logging` has no word for it

_log = logging.getLogger(__name__)


class MessageId(StrEnum):
    """One constant for each kind of entry; a run's state, in capitals, is the name of its own."""

    DAEMON_STARTED = "e167d3e6516340c3bbdc2164077a6daa"
    DAEMON_STOPPING = "15545439122248f8805d2d534788a4f2"
    RUN_STARTED = "6006ade62b7445d8a0e112972e51ed4b"
    DOWNLOADING = "ab1e5b2cceae4a418ccec545468479a8"
    STAGED = "5e59504a2b4a4d9fada9c79bbf6ba4e0"
    ARMED = "cefcde7ae01e419cacbdb2ad40618a60"
    ASSESSING = "7b07fc3ca2b6413cbcce5ef755813f53"
    DONE = "a4defc1d5bb045cdafe3310618d4d3ab"
    ROLLED_BACK = "cf019211dc7e4405a86e9a0f83d63e8e"
    FAILED = "55895682f4654091a0947879d43607c4"
    CANCELLED = "d17c6cafaa8e49fda66ecf8bf0fac4e7"
    QUARANTINED = "888d540fcd3e4eaeb42ec210547cc681"
    QUARANTINE_CLEARED = "95e908a86d68479ab094640226f2284a"
    WINDOW_OPENED = "d9cbcbaa4c5245abb9f1fb4e0b3dedcc"
    WINDOW_TOO_SHORT = "f39d0c46c41c46a995545e6db626d0dc"
    SERVER_LOST = "aba745811af24f6a9b03111e8a328883"
    SERVER_BACK = "43b49cedd915418ebdf0cd04e1c5afe7"
    CLOCK_NOT_TRUSTED = "559818b40e4a42ebbebeafab80a6fa37"
    STATE_REBUILT = "c82c06a153014307b8742eb5d1579b7c"
    VERDICT_GOOD = "6f87dcf356474d60ab702d110cab6d60"
    VERDICT_BAD = "920b66d0583744d584437483c208b522"
    REBOOT_HELD = "cca35b28d6d84c1997d4b97bec485e58"
    HOLD_OVERRIDDEN = "793bc843e0a043a48ee23938f4803781"
    BOOT_FAILED = "f6ded17e8d4549f4b168c845ac01c71a"  # logged by puad-boot-failed; puad reads it


_LEVELS: Final = {
    MessageId.ROLLED_BACK: systemd.journal.LOG_ERR,
    MessageId.FAILED: systemd.journal.LOG_ERR,
    MessageId.VERDICT_BAD: systemd.journal.LOG_ERR,
    MessageId.QUARANTINED: systemd.journal.LOG_WARNING,
    MessageId.WINDOW_TOO_SHORT: systemd.journal.LOG_WARNING,
    MessageId.REBOOT_HELD: systemd.journal.LOG_WARNING,
    MessageId.HOLD_OVERRIDDEN: systemd.journal.LOG_WARNING,
    MessageId.BOOT_FAILED: systemd.journal.LOG_ERR,
    MessageId.SERVER_LOST: systemd.journal.LOG_WARNING,
    MessageId.CLOCK_NOT_TRUSTED: systemd.journal.LOG_WARNING,
    MessageId.STATE_REBUILT: systemd.journal.LOG_WARNING,
    MessageId.SERVER_BACK: systemd.journal.LOG_INFO,
    MessageId.DAEMON_STARTED: systemd.journal.LOG_INFO,
    MessageId.DAEMON_STOPPING: systemd.journal.LOG_INFO,
}
_LEVEL_NAMES: Final = {
    systemd.journal.LOG_ERR: "ERROR",
    systemd.journal.LOG_WARNING: "WARNING",
    _NOTICE: "NOTICE",
    systemd.journal.LOG_INFO: "INFO",
}


def lifecycle(
    message_id: MessageId,
    text: str,
    *,
    teller: str = PUAD,
    **fields: str,
) -> None:
    """Tell of a step of an update.

    Args:
        message_id: Which kind of step.
        text: What happened, as one sentence for people.
        teller: The program that tells of it, as the journal names it.
        fields: What it concerns: `run_id`, `state`, `slot`, `image_id`, and others; `code` becomes
            PUAD_CODE. Empty ones are left out. Never a secret.
    """
    level = _LEVELS.get(message_id, _NOTICE)
    named = {f"PUAD_{name.upper()}": value[:_MAX_TEXT] for name, value in fields.items() if value}
    try:
        systemd.journal.send(
            text[:_MAX_TEXT],
            MESSAGE_ID=message_id.value,
            PRIORITY=str(level),
            SYSLOG_IDENTIFIER=teller,
            CODE_FUNC=message_id.name,
            **named,
        )
    except OSError as error:
        _log.warning("the journal does not take entries: %s", error.strerror)
    if not under_journal():
        at = time.strftime(_TIME_FORMAT, time.gmtime())
        line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:_MAX_TEXT])
        print(f"{at} {_LEVEL_NAMES[level]} {message_id.name}: {line}", file=sys.stderr, flush=True)  # noqa: T201 - the place of these lines without a journal


def setup_logging(level: str = "info", teller: str = PUAD) -> None:
    """Send what is logged to the journal, or to stderr when nobody collects it there.

    Args:
        level: `debug`, `info`, `warning` or `error`.
        teller: The program's name in the journal.
    """
    handler: logging.Handler
    if under_journal():
        handler = systemd.journal.JournalHandler(SYSLOG_IDENTIFIER=teller)
        handler.setFormatter(logging.Formatter("%(message)s"))  # the rest are fields
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(_utc_formatter(teller))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def under_journal() -> bool:
    """Whether stderr goes to the journal (systemd.exec(5), `$JOURNAL_STREAM`)."""
    try:
        stderr = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{stderr.st_dev}:{stderr.st_ino}"


def _utc_formatter(teller: str) -> logging.Formatter:
    formatter = logging.Formatter(_FORMAT.format(teller=teller), _TIME_FORMAT)
    formatter.converter = time.gmtime
    return formatter
