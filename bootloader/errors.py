# SPDX-License-Identifier: Apache-2.0
"""The refusals of boot control: one word for each, and the same word as D-Bus error name.

`ErrorName.X` is `org.puad.Bootloader1.Error.X` on the bus. Code that is called in a wrong order by
ourselves raises RuntimeError, never one of these.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

PREFIX: Final = "org.puad.Bootloader1.Error."


class ErrorName(StrEnum):
    """What was refused, or what failed."""

    NOT_ALLOWED = "NotAllowed"
    UNKNOWN_SLOT = "UnknownSlot"
    SLOT_BOOTED = "SlotBooted"
    ACTIVE_NOT_GOOD = "ActiveNotGood"
    NOT_DISARMED = "NotDisarmed"
    BUSY = "Busy"
    NOT_SEALED = "NotSealed"
    PINNED = "Pinned"
    INVALID_TRIES = "InvalidTries"
    INVALID_ARGUMENT = "InvalidArgument"
    SIZE_MISMATCH = "SizeMismatch"
    HASH_MISMATCH = "HashMismatch"
    NO_SPACE = "NoSpace"
    SIGNATURE_INVALID = "SignatureInvalid"
    EXPIRED = "Expired"
    TARGET_UNKNOWN = "TargetUnknown"
    WRONG_PROFILE = "WrongProfile"
    BELOW_FLOOR = "BelowFloor"
    IMAGE_MISMATCH = "ImageMismatch"
    BOOT_FILE_MISMATCH = "BootFileMismatch"
    ROOT_ID_TAKEN = "RootIdTaken"
    ROOT_ID_MISMATCH = "RootIdMismatch"
    NOT_BOOTED = "NotBooted"
    NO_FALLBACK = "NoFallback"
    FALLBACK_BELOW_FLOOR = "FallbackBelowFloor"
    BOOT_NOT_COMPLETE = "BootNotComplete"
    DISAGREEMENT = "Disagreement"
    STORAGE_FAILED = "StorageFailed"
    REBOOT_NOT_NEEDED = "RebootNotNeeded"
    REBOOT_FAILED = "RebootFailed"
    NOT_SUPPORTED = "NotSupported"
    INTERNAL = "Internal"


class BootloaderError(Exception):
    """What boot control refused or could not do, and on what.

    Args:
        name: Which of the known things it is.
        what: What happened, as a sentence without a full stop.
        on: The slot, file or device that it happened on.
    """

    def __init__(self, name: ErrorName, what: str, *, on: str = "") -> None:
        super().__init__(name, what, on)
        self.name = name
        self.what = what
        self.on = on

    @property
    def bus_name(self) -> str:
        """The D-Bus error name."""
        return PREFIX + self.name

    def __str__(self) -> str:
        where = f" ({self.on})" if self.on else ""
        return f"{self.what}{where}"


class ConfigError(Exception):
    """The configuration file says something that the service cannot follow; it does not start.

    Args:
        what: What is wrong, as a sentence without a full stop.
        on: The file, and its section.
    """

    def __init__(self, what: str, *, on: str) -> None:
        super().__init__(what, on)
        self.what = what
        self.on = on

    def __str__(self) -> str:
        return f"{self.what} ({self.on})"
