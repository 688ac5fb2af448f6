# SPDX-License-Identifier: Apache-2.0
"""Refusals of boot control in the words of the node: one `Code` for each D-Bus error.

The word of the refusal (`NotSealed`) is kept as what the error happened on, so that a person finds
it in docs/boot-control.md.
"""

from __future__ import annotations

from typing import Final

from puad.core.errors import BootControlError, Code
from puad.system_bus import CallFailure, Failure

PREFIX: Final = "org.puad.Bootloader1.Error."

CODES: Final = {
    "NotAllowed": Code.NOT_ALLOWED,
    "UnknownSlot": Code.BOOT_CONTROL_REFUSED,
    "SlotBooted": Code.BOOT_CONTROL_REFUSED,
    "ActiveNotGood": Code.BOOT_CONTROL_REFUSED,
    "NotDisarmed": Code.BOOT_CONTROL_REFUSED,
    "Busy": Code.BOOT_CONTROL_BUSY,
    "NotSealed": Code.BOOT_CONTROL_BUSY,  # the seal is lost: the image is sealed again
    "Pinned": Code.ARM_REFUSED,
    "InvalidTries": Code.ARM_REFUSED,
    "InvalidArgument": Code.BOOT_CONTROL_REFUSED,
    "SizeMismatch": Code.SEAL_REFUSED,
    "HashMismatch": Code.SEAL_REFUSED,
    "NoSpace": Code.DISK_FULL,
    "SignatureInvalid": Code.SEAL_REFUSED,
    "Expired": Code.METADATA_EXPIRED,  # fresh metadata let the same image in
    "TargetUnknown": Code.SEAL_REFUSED,
    "WrongProfile": Code.SEAL_REFUSED,
    "BelowFloor": Code.SEAL_REFUSED,
    "ImageMismatch": Code.SEAL_REFUSED,
    "BootFileMismatch": Code.SEAL_REFUSED,
    "RootIdTaken": Code.BOOT_CONTROL_REFUSED,
    "RootIdMismatch": Code.ARM_REFUSED,
    "NotBooted": Code.BOOT_CONTROL_REFUSED,
    "NoFallback": Code.NO_FALLBACK,
    "FallbackBelowFloor": Code.BELOW_FLOOR,
    "BootNotComplete": Code.BOOT_CONTROL_REFUSED,
    "Disagreement": Code.BOOT_CONTROL_REFUSED,
    "StorageFailed": Code.SLOT_WRITE_FAILED,  # a disk that fails does not mend itself
    "RebootNotNeeded": Code.BOOT_CONTROL_REFUSED,  # what was armed is not any more
    "RebootFailed": Code.REBOOT_FAILED,
    "NotSupported": Code.BOOT_CONTROL_REFUSED,
    "Internal": Code.INTERNAL,
}
"""The code of each refusal, and with it whether the same try may succeed later."""


def refusal(member: str, failure: CallFailure) -> BootControlError:
    """The error for a call of `member` that failed."""
    match failure.kind:
        case Failure.ABSENT:
            return BootControlError(
                Code.BOOT_CONTROL_ABSENT,
                f"Boot control does not run: {failure.message}",
                on=failure.name,
            )
        case Failure.SILENT:
            return BootControlError(
                Code.BOOT_CONTROL_TIMEOUT, f"Boot control did not answer {member}", on=failure.name
            )
        case Failure.DENIED:
            return BootControlError(
                Code.NOT_ALLOWED, f"The system bus does not allow {member}", on=failure.name
            )
        case Failure.REFUSED:
            word = failure.name.removeprefix(PREFIX)
            code = CODES.get(word, Code.BOOT_CONTROL_REFUSED)  # a later service may know more
            return BootControlError(
                code, f"Boot control refused {member}: {failure.message}", on=word
            )
