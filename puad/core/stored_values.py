# SPDX-License-Identifier: Apache-2.0
"""Values inside stored documents: offers, causes, holds and times, as every document writes them.

Reading never fails: what has another form is left out, and unknown keys are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from puad.core.errors import Code
from puad.core.model import Offer
from puad.core.run import Cause, Hold

_OFFER_KEYS: Final = ("url", "image_id", "file_hash", "profile_name", "profile_version")


def dump_offer(offer: Offer) -> dict[str, str]:
    """An offer as an object."""
    return {key: getattr(offer, key) for key in _OFFER_KEYS}


def load_offer(value: object) -> Offer | None:
    """The offer in a document; None when there is none."""
    document = mapping_in(value)
    if not document:
        return None
    return Offer(**{key: text_in(document.get(key)) for key in _OFFER_KEYS})


def dump_cause(cause: Cause | None) -> dict[str, str | None] | None:
    """A cause as an object."""
    if cause is None:
        return None
    return {
        "code": cause.code.value,
        "text": cause.text,
        "at": dump_time(cause.at),
        "log": cause.log,
    }


def load_cause(value: object) -> Cause | None:
    """The cause in a document; a code that this puad does not know is INTERNAL."""
    document = mapping_in(value)
    if not document:
        return None
    try:
        code = Code(text_in(document.get("code")))
    except ValueError:
        code = Code.INTERNAL
    at = load_time(document.get("at")) or datetime.fromtimestamp(0, UTC)
    return Cause(code, text_in(document.get("text")), at, text_in(document.get("log")))


def dump_hold(hold: Hold | None) -> dict[str, str | None] | None:
    """A hold as an object."""
    if hold is None:
        return None
    return {"by": hold.by, "since": dump_time(hold.since), "until": dump_time(hold.until)}


def load_hold(value: object) -> Hold | None:
    """The hold in a document; None when there is none."""
    document = mapping_in(value)
    by, since = text_in(document.get("by")), load_time(document.get("since"))
    return Hold(by, since, load_time(document.get("until"))) if by and since else None


def dump_time(value: datetime | None) -> str | None:
    """A time as text, in UTC."""
    return value.astimezone(UTC).isoformat() if value else None


def load_time(value: object) -> datetime | None:
    """The time in a document; None when it is none, or of no zone."""
    try:
        parsed = datetime.fromisoformat(text_in(value))
        return parsed.astimezone(UTC) if parsed.tzinfo else None
    except (ValueError, OverflowError):
        return None


def text_in(value: object) -> str:
    """A value of a document, if it is text."""
    return value if isinstance(value, str) else ""


def mapping_in(value: object) -> Mapping[str, Any]:
    """A value of a document, if it is an object."""
    return value if isinstance(value, dict) else {}
