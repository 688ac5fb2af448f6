# SPDX-License-Identifier: Apache-2.0
"""The health process from its start to its exit code: settled slot, probes, verdict, reboot.

The order is the point: the verdict is on the medium before this process exits or asks for a
reboot, so that whatever comes next can say why. A verdict that cannot be stored is a bad one: the
image cannot use its persistent partition. Whatever goes wrong here speaks against the boot.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from puad import journal
from puad.arguments import Parser
from puad.boot_id import boot_id
from puad.bootcontrol import BootControl
from puad.config import Settings, add_dir_option, chosen_dirs, load
from puad.core.errors import BootControlError, ConfigError, PuadError, StorageError
from puad.core.health import (
    complete,
    is_good,
    is_settled,
    may_reboot,
    reboot_reason,
    why_bad,
    why_failed,
)
from puad.core.model import ProbeResult, Slot, Verdict
from puad.health.assignment import assigned_probes
from puad.health.probe import Boot, Deadline, ProbeError
from puad.health.probes.image import booted_image
from puad.health.runner import Runner
from puad.journal import MessageId, lifecycle
from puad.store import Store

GOOD: Final = 0
BAD: Final = 1
_EXIT_CODES: Final = {
    GOOD: "the boot is good",
    BAD: "it is bad",
    os.EX_USAGE: "wrong use",
    os.EX_CONFIG: "no such folder of configuration",
}
_TELLER: Final = "puad-health"
_UMASK: Final = 0o022  # puad, another user, reads the verdict

_log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Assess this boot; 0 when it is good, 1 when it is bad, 78 without a named folder."""
    arguments = _parser().parse_args(argv)
    journal.setup_logging(teller=_TELLER)
    os.umask(_UMASK)
    try:
        folders = chosen_dirs(arguments)
    except ConfigError as error:  # it was called wrongly, which says nothing of the boot
        _log.critical("%s\nhint: %s", error, error.hint)
        return os.EX_CONFIG
    try:
        return Health(load(folders).settings).run()
    except ConfigError as error:
        # a good slot stays one, and a bad one is left, whatever its configuration says
        return Health(Settings(), error).run()


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="puad-health", description="Assess this boot: is it good, or bad?")
    parser.exit_codes = _EXIT_CODES
    parser.add_version()
    add_dir_option(parser)
    return parser


class Health:
    """The assessment of one boot.

    Args:
        settings: The configuration.
        trouble: Why it could not be read, if these are only the defaults.
    """

    def __init__(self, settings: Settings, trouble: ConfigError | None = None) -> None:
        self._settings = settings
        self._trouble = trouble
        self._boot_control = BootControl(timeout_s=settings.limits.dbus_timeout_s)
        self._deadline = Deadline(time.monotonic() + settings.update.health_deadline_s)

    def run(self) -> int:
        """Assess the boot and draw the consequence; gives the exit code."""
        booted: Slot | None = None
        unknown: tuple[ProbeResult, ...] = ()
        try:
            slots, name = self._slots()
            if is_settled(slots, name):
                _log.info("slot %s is marked good already", name)
                return GOOD
            booted = next((slot for slot in slots if slot.name == name), None)
        except BootControlError as error:
            unknown = (_broken("boot-control", error),)
        verdict = self._store(self._assess(Boot(self._settings, booted), unknown))
        self._tell(verdict)
        if verdict.good:
            return GOOD
        self._leave(verdict)
        return BAD

    def _slots(self) -> tuple[tuple[Slot, ...], str]:
        """All slots and the name of the booted one; waits for boot control to come up."""
        deadline = self._deadline.within(self._settings.health.probe_deadline_s)
        while True:
            try:
                return self._boot_control.slots(), self._boot_control.booted_slot()
            except BootControlError as error:
                if not error.transient or not deadline.pause():
                    raise

    def _assess(self, boot: Boot, unknown: tuple[ProbeResult, ...]) -> Verdict:
        slot = boot.slot.name if boot.slot else ""
        image_id, profile = _image(boot)
        about = {"PUAD_SLOT": slot, "PUAD_IMAGE_ID": image_id}
        results = (*unknown, *self._probe(boot, about))
        return Verdict(
            boot_id=boot_id(),
            slot=slot,
            image_id=image_id,
            good=is_good(results),
            probes=results,
            finished_at=datetime.now(UTC),
            profile=profile,
        )

    def _probe(self, boot: Boot, about: dict[str, str]) -> tuple[ProbeResult, ...]:
        try:
            if self._trouble:
                raise self._trouble
            probes = assigned_probes(boot, about)
        except ConfigError as error:
            return (_broken("configuration", error),)
        health = self._settings.health
        results = Runner(self._deadline, health.probe_deadline_s).run(probes)
        return complete(results, health.required)

    def _store(self, verdict: Verdict) -> Verdict:
        """Write the verdict; without the probes' output when there is no room for that."""
        store = Store(self._settings.paths.verdict, self._settings.limits)
        try:
            try:
                store.write_verdict(verdict)
            except StorageError:
                verdict = _without_output(verdict)
                store.write_verdict(verdict)
        except StorageError as error:
            unstored = (*verdict.probes, _broken("store", error))
            return dataclasses.replace(verdict, good=False, probes=unstored)
        return verdict

    def _tell(self, verdict: Verdict) -> None:
        for probe in verdict.probes:
            if not probe.passed:
                kind = "required" if probe.required else "wanted"
                _log.warning("%s probe %s failed: %s", kind, probe.name, why_failed(probe))
        message_id = MessageId.VERDICT_GOOD if verdict.good else MessageId.VERDICT_BAD
        text = "This boot is good" if verdict.good else f"This boot is bad: {why_bad(verdict)}"
        slot, image_id = verdict.slot, verdict.image_id
        lifecycle(message_id, text, teller=_TELLER, slot=slot, image_id=image_id)

    def _leave(self, verdict: Verdict) -> None:
        """Ask for a reboot, if there is a good slot to go to and this is none."""
        try:
            slots, booted = self._boot_control.slots(), self._boot_control.booted_slot()
            if not may_reboot(slots, booted):
                _log.error("the node stays up: there is no good slot to go to")
                return
            self._boot_control.request_reboot(reboot_reason(verdict))
        except BootControlError as error:
            _log.error("the reboot could not be asked for: %s", error)


def _image(boot: Boot) -> tuple[str, str]:
    """Image id and profile of the booted root."""
    try:
        booted = booted_image(boot)
    except ProbeError:
        return "", ""  # the probe `image` says why
    return booted.image_id, booted.profile


def _broken(name: str, error: PuadError) -> ProbeResult:
    return ProbeResult(name, required=True, passed=False, reason=str(error))


def _without_output(verdict: Verdict) -> Verdict:
    probes = tuple(dataclasses.replace(probe, log_tail="") for probe in verdict.probes)
    return dataclasses.replace(verdict, probes=probes)
