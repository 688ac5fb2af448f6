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

_BY_WORD: Final = {
    "NotAllowed": Code.NOT_ALLOWED,
    "NoSpace": Code.DISK_FULL,
    "RebootFailed": Code.REBOOT_FAILED,
    "SizeMismatch": Code.SEAL_REFUSED,
    "HashMismatch": Code.SEAL_REFUSED,
    "SignatureInvalid": Code.SEAL_REFUSED,
    "Expired": Code.SEAL_REFUSED,
    "TargetUnknown": Code.SEAL_REFUSED,
    "WrongProfile": Code.SEAL_REFUSED,
    "BelowFloor": Code.SEAL_REFUSED,
    "ImageMismatch": Code.SEAL_REFUSED,
    "BootFileMismatch": Code.SEAL_REFUSED,
    "RootIdMismatch": Code.SEAL_REFUSED,
}
_BY_MEMBER: Final = {"Arm": Code.ARM_REFUSED}


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
            code = _BY_WORD.get(word) or _BY_MEMBER.get(member, Code.BOOT_CONTROL_REFUSED)
            return BootControlError(
                code, f"Boot control refused {member}: {failure.message}", on=word
            )
