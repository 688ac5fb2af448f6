# SPDX-License-Identifier: Apache-2.0
"""Images that never come up: each ends on the old slot, without anyone touching the node."""

from __future__ import annotations

import pytest

from tests.vm.harness.bench import Staged
from tests.vm.harness.explanation import roll_back


@pytest.mark.minutes(4)
@pytest.mark.tries(3)
def test_kernel_that_panics_ends_on_the_old_slot_with_its_last_lines(
    staged: Staged, tries: int
) -> None:
    node = staged("kernel-panic")
    told = roll_back(node)
    assert told.cause["failure_reason"] == "bootloader"
    told.names(["panic", f"{tries} of {tries}"])
    assert node.machine.resets >= tries + 1


def test_root_that_is_missing_ends_on_the_old_slot_and_the_cause_is_called_inferred(
    staged: Staged, tries: int
) -> None:
    told = roll_back(staged("root-missing"))
    assert told.cause["failure_reason"] == "bootloader"
    told.names([f"{tries} of {tries}", "inferred"])


def test_init_that_hangs_is_reset_by_the_watchdog_and_the_cause_is_called_inferred(
    staged: Staged, tries: int
) -> None:
    node = staged("hang-init")
    told = roll_back(node)
    assert node.machine.qmp.count("WATCHDOG") >= tries
    assert told.cause["failure_reason"] == "bootloader"
    told.names([f"{tries} of {tries}", "inferred"])


def test_local_mount_that_fails_leads_through_emergency_mode_to_the_old_slot(
    staged: Staged,
) -> None:
    told = roll_back(staged("mount-fails"))
    told.names(["emergency", "srv.mount"])


def test_persistent_partition_that_the_new_slot_cannot_mount_leads_to_the_old_slot(
    staged: Staged,
) -> None:
    # what the failed boot has logged is lost with its memory: only that it did not come up is known
    told = roll_back(staged("persist-mount-fails"))
    assert told.cause["failure_reason"] == "bootloader"
    told.names(["inferred"])


def test_job_before_basic_target_that_never_ends_is_ended_by_the_deadline(staged: Staged) -> None:
    told = roll_back(staged("job-hangs"))
    told.names(["deadline", "fault-job.service"])


def test_boot_that_is_never_complete_is_ended_by_the_deadline_of_its_health(
    staged: Staged,
) -> None:
    told = roll_back(staged("deadline"))
    assert told.cause["failure_reason"] == "criticalservices"
    told.names(["jobs are running", "fault-slow.service"])
