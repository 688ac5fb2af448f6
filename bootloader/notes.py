# SPDX-License-Identifier: Apache-2.0
"""What boot control remembers across boots: floors of version, time and root, and what was sealed.

One JSON document in the state folder, replaced as a whole. Rules:

1. Floors never sink.
2. A document that cannot be read is an error for everything that needs it: a lost floor must not
   open a way down.
3. Slots of different releases share it. Whoever writes keeps every top-level key that it does not
   know, and the number of a higher schema: the older service, after a fallback, destroys nothing of
   the newer one's. So what a later release adds stands under a key of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bootloader.durable import Files
from bootloader.errors import BootloaderError, ErrorName
from bootloader.manifest import SHA256, WORD, Manifest
from bootloader.regular_file import read_regular
from bootloader.seen_root import SeenRoot
from bootloader.version import compare_versions

SCHEMA: Final = 1
FILE_NAME: Final = "notes.json"
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_MAX_BYTES: Final = 64 << 10
_UNREADABLE: Final = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,  # a version that is infinite
    RecursionError,
)
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SealNote:
    """The image that was sealed on a slot; it outlives the seal, and explains the slot.

    Attributes:
        image_id: Its version.
        min_version: The version floor that comes with it; None for none.
        profile: Its OS profile; empty in a note of an older service.
    """

    image_id: str
    min_version: str | None
    profile: str = ""


@dataclass(frozen=True, slots=True)
class Notes:
    """The document.

    Attributes:
        version_floor: The highest `min_version` of any image marked good here; None for none.
        time_floor: The latest time that signed metadata have proved, UTC.
        root: The highest root metadata that a seal has accepted; None for none.
        sealed: The last image sealed on each slot.
        ran: The image that a slot ran when the other one was sealed: nothing else tells it of a
            slot that was never sealed here.
    """

    version_floor: str | None = None
    time_floor: datetime = _LONG_AGO
    root: SeenRoot | None = None
    sealed: Mapping[str, SealNote] = field(default_factory=dict)
    ran: Mapping[str, str] = field(default_factory=dict)

    def with_root(self, root: SeenRoot) -> Notes:
        """These notes after metadata were verified down from this root."""
        return replace(self, root=root)

    def with_seal(self, slot: str, manifest: Manifest) -> Notes:
        """These notes after a seal."""
        note = SealNote(manifest.version, manifest.min_version, manifest.profile)
        time_floor = max(self.time_floor, manifest.built_at)
        return replace(self, time_floor=time_floor, sealed={**self.sealed, slot: note})

    def without_seal(self, slot: str) -> Notes:
        """These notes after a disarm."""
        sealed = {name: note for name, note in self.sealed.items() if name != slot}
        ran = {name: image_id for name, image_id in self.ran.items() if name != slot}
        return replace(self, sealed=sealed, ran=ran)

    def with_good(self, slot: str, image_id: str) -> Notes:
        """These notes after the booted slot was marked good.

        The floor rises only by the image that was sealed there and is the one that runs.
        """
        note = self.sealed.get(slot)
        if note is None or note.min_version is None or note.image_id != image_id:
            return self
        if self.version_floor and compare_versions(note.min_version, self.version_floor) <= 0:
            return self
        return replace(self, version_floor=note.min_version)

    def with_run(self, slot: str, image_id: str) -> Notes:
        """These notes while the booted slot, which is good, runs that image."""
        if not WORD.fullmatch(image_id):
            return self
        return replace(self, ran={**self.ran, slot: image_id})

    def is_below_floor(self, slot: str) -> bool:
        """Whether a slot's image lies below the version floor, as far as can be told."""
        if not self.version_floor:
            return False
        image_id = self.image_of(slot)
        return not image_id or compare_versions(image_id, self.version_floor) < 0

    def image_of(self, slot: str) -> str:
        """The image on a slot; empty when it is not known."""
        note = self.sealed.get(slot)
        return note.image_id if note else self.ran.get(slot, "")


class NoteBook:
    """The notes on disk."""

    def __init__(self, state: Path, files: Files) -> None:
        self._path = state / FILE_NAME
        self._files = files

    def read(self) -> Notes:
        """The notes; empty ones before the first write.

        Raises:
            BootloaderError: `StorageFailed`.
        """
        return self._read()[0]

    def write(self, notes: Notes) -> None:
        """Replace the notes, unless they already say this.

        Raises:
            BootloaderError: `StorageFailed` or `NoSpace`.
        """
        old, document = self._read()
        if notes != old:
            data = json.dumps(_merged(document, notes), indent=1, sort_keys=True)
            self._files.replace(self._path, data.encode())

    def _read(self) -> tuple[Notes, Mapping[str, Any]]:
        """The notes, and the document that they stand in."""
        data = read_regular(self._path, _MAX_BYTES)
        if data is None:
            return Notes(), {}
        try:
            document = json.loads(data)
            return _parse(document), document
        except _UNREADABLE as error:
            what = "the notes of boot control cannot be read; remove them to start without a floor"
            raise BootloaderError(ErrorName.STORAGE_FAILED, what, on=str(self._path)) from error


def _parse(document: Mapping[str, Any]) -> Notes:
    if not isinstance(document.get("schema", SCHEMA), int):
        raise TypeError("the schema is no number")
    root = document.get("root")
    return Notes(
        version_floor=_optional_word(document["version_floor"]),
        time_floor=datetime.strptime(document["time_floor"], _TIME).replace(tzinfo=UTC),
        root=None if root is None else _seen_root(root),
        sealed={slot: _seal_note(note) for slot, note in document["sealed"].items()},
        ran={slot: _word(image_id) for slot, image_id in document.get("ran", {}).items()},
    )


def _seen_root(root: Mapping[str, Any]) -> SeenRoot:
    if not SHA256.fullmatch(root["sha256"]):
        raise ValueError("the root's hash is none")
    return SeenRoot(int(root["version"]), root["sha256"])


def _seal_note(note: Mapping[str, Any]) -> SealNote:
    profile = note.get("profile", "")
    return SealNote(
        _word(note["image_id"]),
        _optional_word(note["min_version"]),
        _word(profile) if profile else "",
    )


def _word(value: Any) -> str:  # noqa: ANN401 -- anything may stand in the document
    """A word as the signed manifest has them: it is shown on the bus, which takes no other text."""
    if not WORD.fullmatch(value):
        raise ValueError("this is no word of a manifest")
    return str(value)


def _optional_word(value: Any) -> str | None:  # noqa: ANN401 -- as above
    return None if value is None else _word(value)


def _merged(document: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    """The notes, with what another release has left in the document (rule 3)."""
    return {**document, **_dump(notes), "schema": max(SCHEMA, document.get("schema", SCHEMA))}


def _dump(notes: Notes) -> dict[str, Any]:
    return {
        "version_floor": notes.version_floor,
        "time_floor": notes.time_floor.strftime(_TIME),
        "root": None if notes.root is None else asdict(notes.root),
        "sealed": {slot: asdict(note) for slot, note in notes.sealed.items()},
        "ran": dict(notes.ran),
    }
