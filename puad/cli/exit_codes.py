# SPDX-License-Identifier: Apache-2.0
"""Exit codes of `puadctl`: those of sysexits.h, one for each `Code` (docs/puadctl-json.md)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from puad.core.errors import Code


class ExitCode(IntEnum):
    """What the shell is told."""

    OK = 0
    USAGE = 64
    DATA = 65
    NO_INPUT = 66
    UNAVAILABLE = 69
    SOFTWARE = 70
    OS = 71
    CANNOT_CREATE = 73
    IO = 74
    TEMPORARY = 75
    PROTOCOL = 76
    NOT_ALLOWED = 77
    CONFIG = 78
    INTERRUPTED = 130


EXIT_CODES: Final[dict[Code, ExitCode]] = {
    Code.CONFIG_INVALID: ExitCode.CONFIG,
    Code.STATE_UNREADABLE: ExitCode.IO,
    Code.STATE_UNWRITABLE: ExitCode.CANNOT_CREATE,
    Code.DISK_FULL: ExitCode.CANNOT_CREATE,
    Code.SERVER_UNREACHABLE: ExitCode.TEMPORARY,
    Code.SERVER_REFUSED: ExitCode.PROTOCOL,
    Code.SERVER_UNAUTHENTICATED: ExitCode.NOT_ALLOWED,
    Code.SERVER_ANSWER_INVALID: ExitCode.PROTOCOL,
    Code.INSECURE_TRANSPORT: ExitCode.CONFIG,
    Code.DOWNLOAD_UNREACHABLE: ExitCode.TEMPORARY,
    Code.DOWNLOAD_REFUSED: ExitCode.PROTOCOL,
    Code.DOWNLOAD_MISMATCH: ExitCode.PROTOCOL,
    Code.ROOT_OF_TRUST_MISSING: ExitCode.CONFIG,
    Code.SIGNATURE_INVALID: ExitCode.DATA,
    Code.METADATA_EXPIRED: ExitCode.DATA,
    Code.METADATA_ROLLBACK: ExitCode.DATA,
    Code.TARGET_UNKNOWN: ExitCode.DATA,
    Code.HASH_MISMATCH: ExitCode.DATA,
    Code.WRONG_PROFILE: ExitCode.DATA,
    Code.BELOW_FLOOR: ExitCode.DATA,
    Code.MANIFEST_INVALID: ExitCode.DATA,
    Code.FORMAT_UNKNOWN: ExitCode.DATA,
    Code.IMAGE_INVALID: ExitCode.DATA,
    Code.IMAGE_TOO_LARGE: ExitCode.DATA,
    Code.SLOT_WRITE_FAILED: ExitCode.IO,
    Code.BOOT_CONTROL_ABSENT: ExitCode.UNAVAILABLE,
    Code.BOOT_CONTROL_TIMEOUT: ExitCode.UNAVAILABLE,
    Code.BOOT_CONTROL_BUSY: ExitCode.TEMPORARY,
    Code.BOOT_CONTROL_REFUSED: ExitCode.OS,
    Code.SEAL_REFUSED: ExitCode.DATA,
    Code.ARM_REFUSED: ExitCode.OS,
    Code.REBOOT_FAILED: ExitCode.OS,
    Code.PROBE_FAILED: ExitCode.DATA,
    Code.EMERGENCY_MODE: ExitCode.DATA,
    Code.BOOT_DEADLINE: ExitCode.DATA,
    Code.KERNEL_PANIC: ExitCode.DATA,
    Code.NEVER_HEALTHY: ExitCode.DATA,
    Code.NEVER_STARTED: ExitCode.DATA,
    Code.NOT_TRIED: ExitCode.OS,
    Code.WRONG_IMAGE_BOOTED: ExitCode.DATA,
    Code.NO_VERDICT: ExitCode.DATA,
    Code.BUSY: ExitCode.TEMPORARY,
    Code.RUN_ARMED: ExitCode.TEMPORARY,
    Code.CANCELLED: ExitCode.TEMPORARY,
    Code.QUARANTINED: ExitCode.TEMPORARY,
    Code.NO_FALLBACK: ExitCode.UNAVAILABLE,
    Code.ROLLED_BACK_BY_OPERATOR: ExitCode.TEMPORARY,
    Code.NOTHING_TO_DO: ExitCode.OK,
    Code.NOT_ALLOWED: ExitCode.NOT_ALLOWED,
    Code.AGENT_ABSENT: ExitCode.UNAVAILABLE,
    Code.FOLDER_UNREADABLE: ExitCode.NO_INPUT,
    Code.INTERNAL: ExitCode.SOFTWARE,
}
