# SPDX-License-Identifier: Apache-2.0
"""What a node may tell of itself beside the protocol: its phase, its slots, its quarantine.

The original ignores these optional fields of `updateStatus`, and an original node sends none. So
they are read with more patience than the protocol's own: whatever has another form than here is
left out, and never refuses a report.

    "phase": "writing",
    "slots": [{"name": "a", "imageId": "13.1", "state": "booted", "assessment": "good"}],
    "quarantine": ["<file hash>"]

An empty `quarantine` says that nothing is quarantined; an absent one says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, TypeGuard

from puad.core.model import Assessment, Slot, SlotState

MAX_PHASE_CHARS: Final = 40
MAX_SLOTS: Final = 8
MAX_QUARANTINE: Final = 64

_PHASE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ,._-]{0,39}")
_SLOT_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_IMAGE_ID: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._+~-]{0,127})?")
_FILE_HASH: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class SlotReport:
    """One slot as the node tells it; `image_id` is empty when nothing is sealed on it."""

    name: str
    image_id: str
    state: SlotState
    assessment: Assessment

    @classmethod
    def of(cls, slot: Slot) -> Self:
        """What is told of a slot."""
        return cls(slot.name, slot.image_id, slot.state, slot.assessment)

    def dump(self) -> dict[str, str]:
        """The slot in its wire form."""
        return {
            "name": self.name,
            "imageId": self.image_id,
            "state": self.state.value,
            "assessment": self.assessment.value,
        }


def encode_extras(
    phase: str, slots: Iterable[SlotReport], quarantine: Iterable[str] | None
) -> dict[str, Any]:
    """The fields that are set, ready for JSON."""
    fields: dict[str, Any] = {}
    if phase:
        fields["phase"] = phase
    if dumped := [slot.dump() for slot in slots][:MAX_SLOTS]:
        fields["slots"] = dumped
    if quarantine is not None:
        fields["quarantine"] = list(quarantine)[-MAX_QUARANTINE:]
    return fields


def decode_phase(status: Mapping[str, Any]) -> str:
    """What the node does within its status; empty when it does not say."""
    phase = status.get("phase")
    return phase if _has_form(phase, _PHASE) else ""


def decode_slots(status: Mapping[str, Any]) -> tuple[SlotReport, ...]:
    """The node's slots, as far as they can be read."""
    return tuple(filter(None, map(_decode_slot, _items(status, "slots", MAX_SLOTS))))


def decode_quarantine(status: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The file hashes that the node does not try by itself; None when it does not say."""
    if not isinstance(status.get("quarantine"), list):
        return None
    hashes = _items(status, "quarantine", MAX_QUARANTINE)
    return tuple(dict.fromkeys(item for item in hashes if _has_form(item, _FILE_HASH)))


def _decode_slot(item: object) -> SlotReport | None:
    if not isinstance(item, Mapping):
        return None
    name, image_id = item.get("name"), item.get("imageId", item.get("image_id", ""))
    if not _has_form(name, _SLOT_NAME) or not _has_form(image_id, _IMAGE_ID):
        return None
    try:
        state = SlotState(str(item.get("state")))
        assessment = Assessment(str(item.get("assessment")))
    except ValueError:
        return None
    return SlotReport(name, image_id, state, assessment)


def _items(status: Mapping[str, Any], name: str, most: int) -> Iterator[object]:
    value = status.get(name)
    return iter(value[:most] if isinstance(value, list) else ())


def _has_form(value: object, form: re.Pattern[str]) -> TypeGuard[str]:
    return isinstance(value, str) and form.fullmatch(value) is not None
