# SPDX-License-Identifier: Apache-2.0
"""The words for what can go wrong on a node, and what each means for a person.

The code alone decides the hint, whether a retry may help (*transient*), and the `failure_reason`
that the orchestrator is told, so that a journal line, a D-Bus error, a command line message and
the update log all say the same thing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class FailureReason(StrEnum):
    """The words that `update_log` entries may use for a cause (protocol.md §3a)."""

    UNSPECIFIED = "unspecified"
    NO_FAILURE = "nofailure"
    DOWNLOAD = "download"
    BOOTLOADER = "bootloader"
    INSUFFICIENT_STORAGE = "insufficientstorage"
    AUTHENTICATION = "rsauthentication"
    SIGNATURE_CHECK = "signaturecheck"
    WRITE = "utwrite"
    BOOT_CONFIGURATION = "utbootconfiguration"
    CRITICAL_SERVICES = "criticalservices"
    INBM = "inbm"
    OS_COMMIT = "oscommit"


class Code(StrEnum):
    """One word for each thing that can go wrong on a node."""

    # configuration and the node's own files
    CONFIG_INVALID = "config-invalid"
    STATE_UNREADABLE = "state-unreadable"
    STATE_UNWRITABLE = "state-unwritable"
    DISK_FULL = "disk-full"
    # the orchestrator
    SERVER_UNREACHABLE = "server-unreachable"
    SERVER_REFUSED = "server-refused"
    SERVER_UNAUTHENTICATED = "server-unauthenticated"
    SERVER_ANSWER_INVALID = "server-answer-invalid"
    INSECURE_TRANSPORT = "insecure-transport"
    # the release service
    DOWNLOAD_UNREACHABLE = "download-unreachable"
    DOWNLOAD_REFUSED = "download-refused"
    DOWNLOAD_MISMATCH = "download-mismatch"
    # trust
    ROOT_OF_TRUST_MISSING = "root-of-trust-missing"
    SIGNATURE_INVALID = "signature-invalid"
    METADATA_EXPIRED = "metadata-expired"
    METADATA_ROLLBACK = "metadata-rollback"
    TARGET_UNKNOWN = "target-unknown"
    HASH_MISMATCH = "hash-mismatch"
    WRONG_PROFILE = "wrong-profile"
    BELOW_FLOOR = "below-floor"
    MANIFEST_INVALID = "manifest-invalid"
    # images and slots
    FORMAT_UNKNOWN = "format-unknown"
    IMAGE_INVALID = "image-invalid"
    IMAGE_TOO_LARGE = "image-too-large"
    SLOT_WRITE_FAILED = "slot-write-failed"
    # boot control
    BOOT_CONTROL_ABSENT = "boot-control-absent"
    BOOT_CONTROL_TIMEOUT = "boot-control-timeout"
    BOOT_CONTROL_BUSY = "boot-control-busy"
    BOOT_CONTROL_REFUSED = "boot-control-refused"
    SEAL_REFUSED = "seal-refused"
    ARM_REFUSED = "arm-refused"
    REBOOT_FAILED = "reboot-failed"
    # the new boot
    PROBE_FAILED = "probe-failed"
    EMERGENCY_MODE = "emergency-mode"
    BOOT_DEADLINE = "boot-deadline"
    KERNEL_PANIC = "kernel-panic"
    NEVER_HEALTHY = "never-healthy"
    NEVER_STARTED = "never-started"
    NOT_TRIED = "not-tried"
    WRONG_IMAGE_BOOTED = "wrong-image-booted"
    NO_VERDICT = "no-verdict"
    # the operator
    BUSY = "busy"
    RUN_ARMED = "run-armed"
    CANCELLED = "cancelled"
    QUARANTINED = "quarantined"
    NO_FALLBACK = "no-fallback"
    ROLLED_BACK_BY_OPERATOR = "rolled-back-by-operator"
    NOTHING_TO_DO = "nothing-to-do"
    NOT_ALLOWED = "not-allowed"
    AGENT_ABSENT = "agent-absent"
    FOLDER_UNREADABLE = "folder-unreadable"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a code means for a person: what to do, whether waiting helps, what the server is told.

    Attributes:
        hint: One sentence that says what to do next.
        transient: Whether the same try may succeed later without anybody's help.
        failure_reason: The cause as the orchestrator's update log names it.
    """

    hint: str
    transient: bool = False
    failure_reason: FailureReason = FailureReason.UNSPECIFIED


_DOWNLOAD = FailureReason.DOWNLOAD
_SIGNATURE = FailureReason.SIGNATURE_CHECK
_WRITE = FailureReason.WRITE
_BOOT = FailureReason.BOOT_CONFIGURATION

EXPLANATIONS: Final[dict[Code, Explanation]] = {
    Code.CONFIG_INVALID: Explanation(
        "Correct what is named and restart puad; `puadctl config show` lists every key."
    ),
    Code.STATE_UNREADABLE: Explanation(
        "Nothing to do: puad rebuilds its state from the boot loader and the verdict file."
    ),
    Code.STATE_UNWRITABLE: Explanation(
        "Check that the persistent partition is mounted read-write and not damaged.",
        transient=True,
    ),
    Code.DISK_FULL: Explanation(
        "Free space on the persistent partition or the boot partition.",
        transient=True,
        failure_reason=FailureReason.INSUFFICIENT_STORAGE,
    ),
    Code.SERVER_UNREACHABLE: Explanation(
        "Check the network and server.url; puad tries again by itself.", transient=True
    ),
    Code.SERVER_REFUSED: Explanation(
        "See the orchestrator's log: is this host known, trusted and provisioned?", transient=True
    ),
    Code.SERVER_UNAUTHENTICATED: Explanation(
        "Put a valid token into server.token_file; puad reads it at each call.",
        transient=True,
        failure_reason=FailureReason.AUTHENTICATION,
    ),
    Code.SERVER_ANSWER_INVALID: Explanation(
        "The orchestrator's answer breaks the protocol; the stored plan holds until it is mended.",
        transient=True,
    ),
    Code.INSECURE_TRANSPORT: Explanation(
        "Use an https:// address; plain HTTP is accepted only to the loopback address.",
        failure_reason=_DOWNLOAD,
    ),
    Code.DOWNLOAD_UNREACHABLE: Explanation(
        "Check the network and release.url; puad resumes by itself.",
        transient=True,
        failure_reason=_DOWNLOAD,
    ),
    Code.DOWNLOAD_REFUSED: Explanation(
        "The release service does not give the file: is the release still published?",
        failure_reason=_DOWNLOAD,
    ),
    Code.DOWNLOAD_MISMATCH: Explanation(
        "Have the server answer byte ranges (206), send files as they are (no gzip, no chunks), and"
        " cache no timestamp.json.",
        transient=True,
        failure_reason=_DOWNLOAD,
    ),
    Code.ROOT_OF_TRUST_MISSING: Explanation(
        "Build the OS image with the release service's root.json in /usr/lib/puad.",
        failure_reason=_SIGNATURE,
    ),
    Code.SIGNATURE_INVALID: Explanation(
        "Do not install this release: it is not signed by the keys that this node trusts.",
        failure_reason=_SIGNATURE,
    ),
    Code.METADATA_EXPIRED: Explanation(
        "Run `puad-release publish` to sign fresh metadata, and check this node's clock.",
        transient=True,
        failure_reason=_SIGNATURE,
    ),
    Code.METADATA_ROLLBACK: Explanation(
        "The release service offers older metadata than this node has seen; check its copies.",
        failure_reason=_SIGNATURE,
    ),
    Code.TARGET_UNKNOWN: Explanation(
        "The signed metadata do not list this image: publish it, or correct the policy.",
        failure_reason=_SIGNATURE,
    ),
    Code.HASH_MISMATCH: Explanation(
        "Publish the image again: its bytes do not have the signed hash.",
        failure_reason=_SIGNATURE,
    ),
    Code.WRONG_PROFILE: Explanation(
        "Link a policy whose OS resource has this node's profile.", failure_reason=_SIGNATURE
    ),
    Code.BELOW_FLOOR: Explanation(
        "Choose a version at or above the floor that `puadctl status` shows.",
        failure_reason=_SIGNATURE,
    ),
    Code.MANIFEST_INVALID: Explanation(
        "Publish the release again with a current puad-release.", failure_reason=_SIGNATURE
    ),
    Code.FORMAT_UNKNOWN: Explanation(
        "Publish the image in a format that this node's puad knows.", failure_reason=_WRITE
    ),
    Code.IMAGE_INVALID: Explanation(
        "Publish the image again: the published file is not what its index says.",
        failure_reason=_SIGNATURE,
    ),
    Code.IMAGE_TOO_LARGE: Explanation(
        "Publish a smaller image, or provision larger slots.",
        failure_reason=FailureReason.INSUFFICIENT_STORAGE,
    ),
    Code.SLOT_WRITE_FAILED: Explanation(
        "Check the disk: `journalctl -k` names the device that failed.", failure_reason=_WRITE
    ),
    Code.BOOT_CONTROL_ABSENT: Explanation(
        "Start puad-bootloader.service and see `journalctl -u puad-bootloader`.",
        transient=True,
        failure_reason=_BOOT,
    ),
    Code.BOOT_CONTROL_TIMEOUT: Explanation(
        "See `journalctl -u puad-bootloader`: the service did not answer in time.",
        transient=True,
        failure_reason=_BOOT,
    ),
    Code.BOOT_CONTROL_BUSY: Explanation(
        "Boot control was at work, or somebody has opened the slot; puad tries again by itself.",
        transient=True,
        failure_reason=_BOOT,
    ),
    Code.BOOT_CONTROL_REFUSED: Explanation(
        "The message says which rule the request broke; `puadctl slots` shows the slots.",
        failure_reason=_BOOT,
    ),
    Code.SEAL_REFUSED: Explanation(
        "The slot does not hold the signed image, so it will not be booted; publish it again.",
        failure_reason=_SIGNATURE,
    ),
    Code.ARM_REFUSED: Explanation(
        "Clear a pinned default: `bootctl set-default ''`, `bootctl set-oneshot ''`, or `default`"
        " in loader/loader.conf.",
        failure_reason=_BOOT,
    ),
    Code.REBOOT_FAILED: Explanation(
        "Find what holds the node up with `systemd-inhibit --list`, then `puadctl run`.",
        transient=True,
        failure_reason=_BOOT,
    ),
    Code.PROBE_FAILED: Explanation(
        "Mend the image so that the named probe passes and publish it as a new version.",
        failure_reason=FailureReason.CRITICAL_SERVICES,
    ),
    Code.EMERGENCY_MODE: Explanation(
        "Mend the unit or mount that the last lines name, and publish the image as a new version.",
        failure_reason=FailureReason.CRITICAL_SERVICES,
    ),
    Code.BOOT_DEADLINE: Explanation(
        "Find in the last lines what the boot waited for, mend the image and publish it anew.",
        failure_reason=FailureReason.CRITICAL_SERVICES,
    ),
    Code.KERNEL_PANIC: Explanation(
        "The last lines of the kernel name the cause; mend the image and publish it anew.",
        failure_reason=FailureReason.BOOTLOADER,
    ),
    Code.NEVER_STARTED: Explanation(
        "Boot the image on a bench with a console: its kernel, initramfs or root is at fault.",
        failure_reason=FailureReason.BOOTLOADER,
    ),
    Code.NEVER_HEALTHY: Explanation(
        "Look at the failed boot with `journalctl -b -1`, mend the image and publish it anew.",
        failure_reason=FailureReason.BOOTLOADER,
    ),
    Code.NOT_TRIED: Explanation(
        "See `puadctl slots`: the boot loader came up on the old slot with tries left.",
        failure_reason=FailureReason.BOOTLOADER,
    ),
    Code.WRONG_IMAGE_BOOTED: Explanation(
        "Set IMAGE_ID and IMAGE_VERSION in the image's os-release to the published ones.",
        failure_reason=FailureReason.OS_COMMIT,
    ),
    Code.NO_VERDICT: Explanation(
        "Somebody marked the slot good by hand, or the verdict is lost; check the node yourself.",
        failure_reason=FailureReason.OS_COMMIT,
    ),
    Code.BUSY: Explanation("Wait for the running update, or stop it with `puadctl cancel`."),
    Code.RUN_ARMED: Explanation(
        "It can no longer be stopped: wait for the verdict; `puadctl status` shows it."
    ),
    Code.CANCELLED: Explanation("Start it again with `puadctl run`, or wait for another image."),
    Code.ROLLED_BACK_BY_OPERATOR: Explanation(
        "Clear the quarantine with `puadctl retry` when the image may be tried again."
    ),
    Code.QUARANTINED: Explanation("Release it with `puadctl retry`, then try again."),
    Code.NO_FALLBACK: Explanation("Install a good image instead: `puadctl slots` shows the slots."),
    Code.NOTHING_TO_DO: Explanation("Nothing needs to be done."),
    Code.NOT_ALLOWED: Explanation("Run it as root; polkit may let others run all but `mark`."),
    Code.AGENT_ABSENT: Explanation("Start puad.service and see `journalctl -u puad`."),
    Code.FOLDER_UNREADABLE: Explanation("Give the folder that `puad-release export` wrote."),
    Code.INTERNAL: Explanation("This is a bug in puad: please report the journal's traceback."),
}
