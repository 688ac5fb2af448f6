# SPDX-License-Identifier: Apache-2.0
"""The health process as a process: exit code, verdict on disk, and when it asks for a reboot."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path

import pytest

from puad.core.model import Verdict
from tests.integration.health.conftest import Node

pytestmark = pytest.mark.dbus

_UNSHARE = shutil.which("unshare") or "unshare"


def verdict_of(node: Node) -> Verdict:
    """The verdict that is there."""
    verdict = node.verdict
    assert verdict is not None
    return verdict


def test_health_on_a_good_slot_ends_at_once_and_runs_nothing(node: Node) -> None:
    node.slots("bad", "good")
    node.probe("required/10-mark", f"touch {node.folder}/ran; exit 1")
    code, printed = node.run_health()
    assert code == 0, printed
    assert not (node.folder / "ran").exists()
    assert node.verdict is None
    assert node.reboots == []


def test_health_with_a_folder_of_configuration_that_is_not_there_judges_nothing(node: Node) -> None:
    node.slots("good", "indeterminate")
    (node.folder / "config.d").rename(node.folder / "elsewhere")
    code, printed = node.run_health()
    assert code == 78, printed
    assert f" CRITICAL puad-health: there is no folder {node.folder}/config.d" in printed
    assert (node.verdict, node.reboots) == (None, [])


def test_health_all_required_pass_is_good_and_every_probe_is_told(node: Node) -> None:
    node.slots("good", "indeterminate")
    node.probe("required/10-env", 'echo "$PUAD_SLOT $PUAD_IMAGE_ID"')
    node.probe("wanted/10-gpu", "echo no gpu; exit 3")
    code, printed = node.run_health()
    assert code == 0, printed
    verdict = verdict_of(node)
    assert verdict.good
    assert (verdict.slot, verdict.image_id) == ("b", "13.2")
    assert verdict.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    names = [(probe.name, probe.required, probe.passed) for probe in verdict.probes]
    assert names == [
        ("disk", True, True),
        ("memory", True, True),
        ("image", True, True),
        ("required/10-env", True, True),
        ("wanted/10-gpu", False, False),
    ]
    assert verdict.probes[3].log_tail == "b 13.2"
    assert verdict.probes[4].log_tail == "no gpu"
    assert node.reboots == []
    assert "This boot is good" in printed


@pytest.mark.parametrize(
    ("other", "booted", "reboots"),
    [("good", "indeterminate", 1), ("good", "bad", 1), ("bad", "indeterminate", 0)],
)
def test_health_bad_boot_reboots_only_to_a_good_slot(
    node: Node, other: str, booted: str, reboots: int
) -> None:
    node.slots(other, booted)
    node.probe("required/10-net", "echo no carrier; exit 1")
    code, printed = node.run_health()
    assert code == 1, printed
    assert not verdict_of(node).good
    assert node.failed() == {"required/10-net": "it ended with exit code 1"}
    assert len(node.reboots) == reboots
    assert all("required/10-net: it ended" in reason for reason in node.reboots)
    assert "This boot is bad: required/10-net" in printed


def test_health_many_failed_probes_still_make_a_short_reason(node: Node) -> None:
    node.slots("good", "indeterminate")
    for number in range(8):
        node.probe(f"required/{number}-a-probe-with-a-long-name", "exit 1")
    code, printed = node.run_health()
    assert code == 1, printed
    (reason,) = node.reboots
    assert reason.startswith("puad-health: required/0-a-probe")
    assert len(reason) <= 180
    assert reason.isprintable()


def test_health_verdict_is_on_disk_before_the_reboot_is_asked_for(node: Node) -> None:
    node.configure("[limits]\ndbus_timeout_s = 100\n")
    node.slots("good", "indeterminate", reboot=[{"hang": True}])
    node.probe("required/10-net", "exit 1")
    with node.start_health() as process:
        try:
            until = time.monotonic() + 60
            while not node.reboots:
                assert time.monotonic() < until
                time.sleep(0.05)
            # the node may go down from here on
            assert verdict_of(node).good is False
        finally:
            process.kill()


def test_health_reboot_refused_is_said_and_the_boot_stays_bad(node: Node) -> None:
    error = "org.puad.Bootloader1.Error.RebootFailed"
    node.slots("good", "indeterminate", reboot=[{"error": error, "message": "held up by sshd"}])
    node.probe("required/10-net", "exit 1")
    code, printed = node.run_health()
    assert code == 1
    assert len(node.reboots) == 1
    assert "held up by sshd" in printed


def test_health_other_image_than_sealed_is_bad(node: Node) -> None:
    node.slots("good", "indeterminate")
    (node.folder / "os-release").write_text("IMAGE_ID=edge\nIMAGE_VERSION=13.1\n")
    code, _ = node.run_health()
    assert code == 1
    assert "13.2 was sealed" in node.failed()["image"]
    assert len(node.reboots) == 1


def test_health_without_os_release_is_bad_and_says_so(node: Node) -> None:
    node.slots("good", "indeterminate")
    (node.folder / "os-release").unlink()
    code, _ = node.run_health()
    assert code == 1
    assert "cannot be read" in node.failed()["image"]
    assert verdict_of(node).image_id == ""


def test_health_probe_that_hangs_does_not_hold_up_the_verdict(node: Node) -> None:
    node.slots("good", "indeterminate")
    node.configure("[health]\nprobe_deadline_s = 2\n")
    node.probe("required/10-hang", "exec sleep 1000")
    code, _ = node.run_health()
    assert code == 1
    assert node.failed() == {"required/10-hang": "it did not end in time"}


def test_health_more_probes_than_the_deadline_allows_end_in_a_bad_verdict(node: Node) -> None:
    node.slots("good", "indeterminate")
    node.configure("[health]\nprobe_deadline_s = 2\n[update]\nhealth_deadline_s = 3\n")
    for number in range(12):
        node.probe(f"required/{number}", "exec sleep 1000")
    began = time.monotonic()
    code, _ = node.run_health()
    assert code == 1
    assert len(node.failed()) == 12
    assert "deadline passed" in node.failed()["required/9"]
    assert time.monotonic() - began < 60


def test_health_with_nothing_required_is_not_good_by_accident(node: Node) -> None:
    node.slots("good", "indeterminate")
    node.configure("[health]\nrequired = []\nwanted = ['memory']\n")
    code, _ = node.run_health()
    assert code == 1
    assert list(node.failed()) == ["required-probes"]
    assert len(node.reboots) == 1


def test_health_unknown_probe_in_the_configuration_is_a_bad_verdict(node: Node) -> None:
    node.slots("good", "indeterminate")
    node.configure("[health]\nrequired = ['disc']\n")
    code, _ = node.run_health()
    assert code == 1
    assert "no probe disc; did you mean disk?" in node.failed()["configuration"]
    assert len(node.reboots) == 1


_OVER_THE_STORE = 'mount --bind "$0" /var/lib && exec "$@"'


@pytest.mark.parametrize(("booted", "expected"), [("indeterminate", 1), ("good", 0)])
def test_health_broken_configuration_is_bad_but_not_on_a_good_slot(
    node: Node, booted: str, expected: int
) -> None:
    node.slots("good", booted)
    node.configure("[health]\nrequird = ['disk']\n")
    for name in ("puad", "puad-health"):
        (node.folder / "persist" / name).mkdir()
    # without a configuration the verdict is in its standard place, /var/lib/puad-health
    namespace = [_UNSHARE, "--mount", "--map-root-user", "sh", "-c", _OVER_THE_STORE]
    code, printed = node.run_health(*namespace, str(node.folder / "persist"))
    assert code == expected, printed
    assert len(node.reboots) == expected
    verdict = node.folder / "persist" / "puad-health" / "verdict.json"
    if expected:
        (probe,) = json.loads(verdict.read_text())["probes"]
        assert "did you mean required?" in probe["reason"]
    else:
        assert not verdict.exists()


def test_health_without_boot_control_is_a_bad_verdict(node: Node) -> None:
    node.configure("[health]\nprobe_deadline_s = 2\n")
    code, _ = node.run_health()
    assert code == 1
    assert set(node.failed()) == {"boot-control", "image"}
    assert verdict_of(node).slot == ""


def test_health_boot_control_that_comes_up_late_is_waited_for(node: Node) -> None:
    node.configure("[health]\nprobe_deadline_s = 60\n")
    with node.start_health() as process:
        try:
            time.sleep(1)  # late, but it does not matter how late
            node.slots("good", "indeterminate")
            assert process.wait(60) == 0
        finally:
            process.kill()
    assert verdict_of(node).good


def test_health_boot_control_that_hangs_is_a_bad_verdict(node: Node) -> None:
    node.configure("[health]\nprobe_deadline_s = 2\n[limits]\ndbus_timeout_s = 1\n")
    node.slots("good", "indeterminate")
    node.boot_control.process.send_signal(signal.SIGSTOP)
    code, printed = node.run_health()
    assert code == 1
    assert "boot-control" in node.failed()
    assert "could not be asked for" in printed


def test_health_boot_control_of_another_contract_is_a_bad_verdict_at_once(node: Node) -> None:
    node.configure("[health]\nprobe_deadline_s = 60\n")
    rows = [{"name": ["s", "b"], "state": ["s", "lost"], "assessment": ["s", "good"]}]
    properties = {"BootedSlot": ["s", "b"], "Slots": ["aa{sv}", rows]}
    node.start_object("org.puad.Bootloader1", {"properties": properties})
    began = time.monotonic()
    code, _ = node.run_health()
    assert code == 1
    assert "boot-control" in node.failed()
    assert time.monotonic() - began < 55


def test_health_booted_slot_that_boot_control_does_not_list_is_bad_without_reboot(
    node: Node,
) -> None:
    rows = [{"name": ["s", "a"], "state": ["s", "inactive"], "assessment": ["s", "good"]}]
    properties = {"BootedSlot": ["s", "b"], "Slots": ["aa{sv}", rows]}
    node.boot_control = node.start_object("org.puad.Bootloader1", {"properties": properties})
    code, _ = node.run_health()
    assert code == 1
    assert "which slot" in node.failed()["image"]
    assert node.reboots == []


def test_health_verdict_that_cannot_be_stored_is_bad_and_still_reboots(node: Node) -> None:
    node.slots("good", "indeterminate")
    # the folder is there, but nothing can be written
    (node.folder / "verdict" / ".verdict.json.new").mkdir()
    code, printed = node.run_health()
    assert code == 1
    assert "store: the document verdict cannot be written" in printed
    assert len(node.reboots) == 1
    assert "store" in node.reboots[0]


def test_health_verdict_too_large_is_stored_without_what_probes_printed(node: Node) -> None:
    node.slots("good", "indeterminate")
    node.configure("[limits]\ndocument_bytes = 2048\n")
    node.probe("required/10-talk", "head -c 8000 /dev/zero | tr '\\0' x")
    code, _ = node.run_health()
    assert code == 0
    assert verdict_of(node).good
    assert all(probe.log_tail == "" for probe in verdict_of(node).probes)


def test_health_asks_puad_and_the_orchestrator_on_a_real_bus(node: Node) -> None:
    node.slots("good", "indeterminate")
    status = json.dumps({"server": {"reachable": False}})
    node.start_object("org.puad.Agent1", {"methods": {"Status": [{"returns": ["(s)", [status]]}]}})
    node.configure(
        "[server]\nurl = 'https://mm.example'\n"
        "[health]\nrequired = ['agent']\nwanted = ['orchestrator']\n"
    )
    code, printed = node.run_health()
    assert code == 0, printed
    # an outage of the server must not roll back a fleet
    assert list(node.failed()) == ["orchestrator"]
    assert "wanted probe orchestrator failed" in printed
