# SPDX-License-Identifier: Apache-2.0
"""The rule of puad-boot-failed, and what it does on a machine with a real configuration."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
import time
from contextlib import nullcontext, suppress
from dataclasses import make_dataclass
from pathlib import Path

import pytest

from bootloader import boot_failed, command, last_words, namespaces, start_jobs
from bootloader.backend import Entry
from bootloader.backends.grub import Grub, GrubOptions
from bootloader.backends.systemd_boot import SystemdBoot, SystemdBootOptions
from bootloader.devices import BlockDevice
from bootloader.durable import Files
from bootloader.errors import BootloaderError, ErrorName
from bootloader.slot import Assessment, BootFileKind, BootStatus
from bootloader.way_back import decide
from tests.unit.bootloader import loader_model
from tests.unit.bootloader.machine_grub import GrubMachine
from tests.unit.bootloader.machines import SystemdBootMachine

GOOD = BootStatus(True, Assessment.GOOD)
TRIED = BootStatus(True, Assessment.INDETERMINATE, 2, 1)
LAST_TRY = BootStatus(True, Assessment.BAD, 0, 3)
NO_ENTRY = BootStatus()
UNREADABLE = BootStatus(has_entry=True)


@pytest.mark.parametrize(
    ("booted", "other", "reboots", "said"),
    [
        (TRIED, GOOD, True, "slot b is not good and slot a is"),
        (LAST_TRY, GOOD, True, "slot b is not good and slot a is"),
        (UNREADABLE, GOOD, True, "slot b is not good and slot a is"),
        (NO_ENTRY, GOOD, True, "slot b is not good and slot a is"),
        (GOOD, GOOD, False, "slot b is good"),
        (GOOD, LAST_TRY, False, "slot b is good"),
        (TRIED, TRIED, False, "neither is another one"),
        (TRIED, LAST_TRY, False, "neither is another one"),
        (LAST_TRY, LAST_TRY, False, "neither is another one"),
        (TRIED, NO_ENTRY, False, "neither is another one"),
        (NO_ENTRY, NO_ENTRY, False, "neither is another one"),
    ],
)
def test_decide_reboots_only_from_a_slot_that_is_not_good_to_one_that_is(
    booted: BootStatus, other: BootStatus, reboots: bool, said: str
) -> None:
    decision = decide("b", {"a": other, "b": booted}, frozenset())
    assert decision.reboots is reboots
    assert said in decision.why


def test_decide_stays_where_the_boot_loader_is_pinned_to() -> None:
    decision = decide("b", {"a": GOOD, "b": TRIED}, {"b"})
    assert not decision.reboots
    assert "pinned to slot b" in decision.why
    assert decide("b", {"a": GOOD, "b": TRIED}, {"a"}).reboots


class Node:
    """A node with systemd-boot whose programs and logs are files."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.machine = SystemdBootMachine(folder)
        backend = self.machine.backend()
        backend.setup.files.replace(backend.boot_folder("b") / "linux", b"kernel b")
        backend.arm("b", 3, Entry(frozenset({BootFileKind.LINUX}), "slot=b"))
        self.machine.power_on()
        self.kernel_log = folder / "kmsg"
        self.kernel_log.touch()
        self.calls = folder / "calls"
        self.systemctl = folder / "systemctl"
        self.config = folder / "bootloader.toml"
        self.config.write_text(
            f'backend = "systemd-boot"\n[systemd-boot]\nesp = "{self.machine.esp}"\n'
            f'efivars = "{self.machine.efivars}"\n'
        )
        self.reboots = 0
        self.set_systemctl("exit 3")
        monkeypatch.setattr(boot_failed, "_SYSTEMCTL", str(self.systemctl))
        monkeypatch.setattr(start_jobs, "SYSTEMCTL", str(self.systemctl))
        monkeypatch.setattr(last_words, "_KERNEL_LOG", self.kernel_log)
        monkeypatch.setattr(last_words, "_JOURNALCTL", str(self.systemctl))
        monkeypatch.setattr(boot_failed, "force_reboot", self.reboot)
        # which partition lies under / is another test's matter
        monkeypatch.setattr(boot_failed, "_find_booted", lambda *_: self.booted)
        self.booted: str = "b"

    def set_systemctl(self, answer: str) -> None:
        self.systemctl.write_text(f'#!/bin/sh\necho "$*" >> {self.calls}\n{answer}\n')
        self.systemctl.chmod(0o755)

    def set_config(self, text: str | None) -> None:
        if text is None:
            self.config.unlink()
        else:
            self.config.write_text(text)

    def be_where_the_defaults_say(self, monkeypatch: pytest.MonkeyPatch) -> None:
        given = [("esp", "Path", self.machine.esp), ("efivars", "Path", self.machine.efivars)]
        defaults = make_dataclass("_", given, bases=(SystemdBootOptions,), frozen=True)
        monkeypatch.setattr(SystemdBoot, "options", defaults)

    def reboot(self) -> None:
        self.reboots += 1

    def run(self, *arguments: str) -> int:
        return boot_failed.main(["--config", str(self.config), *arguments])

    def said(self) -> str:
        return self.kernel_log.read_text()


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    return Node(tmp_path, monkeypatch)


def test_failed_boot_of_a_new_slot_says_so_and_reboots(node: Node) -> None:
    assert node.run("emergency") == 0
    assert node.reboots == 1
    what = "the boot of slot b has failed (emergency): the node reboots"
    assert f"{what}: slot b is not good and slot a is" in node.said()
    assert node.said().startswith("<3>puad-boot-failed: ")
    assert node.calls.read_text().splitlines() == ["--flush", "--sync"]


@pytest.mark.parametrize("name", ["puad-b+3.conf", "puad-b+x.conf"])
def test_slot_that_was_not_counted_is_given_up_before_the_reboot(node: Node, name: str) -> None:
    (node.machine.entries / "puad-b+2-1.conf").rename(node.machine.entries / name)
    assert node.run("emergency") == 0
    assert node.reboots == 1
    assert "it was not counted, and is given up" in node.said()
    assert node.machine.backend().status("b").assessment is Assessment.BAD
    assert node.machine.power_on() == "a"


def test_slot_that_was_not_counted_and_cannot_be_given_up_stays(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise BootloaderError(ErrorName.STORAGE_FAILED, "storage failed: Read-only file system")

    (node.machine.entries / "puad-b+2-1.conf").rename(node.machine.entries / "puad-b+3.conf")
    monkeypatch.setattr(Files, "rename", fail)
    assert node.run("emergency") == 0
    assert node.reboots == 0
    assert "stays as it is: slot b was not counted, and would come again" in node.said()


def test_slot_that_was_counted_keeps_its_tries(node: Node) -> None:
    assert node.run("emergency") == 0
    assert node.machine.backend().status("b").tries_left == 2


def test_failed_boot_of_a_good_slot_stays_and_says_why(node: Node) -> None:
    node.booted = "a"
    assert node.run("rescue") == 0
    assert node.reboots == 0
    assert "(rescue): the node stays as it is: slot a is good" in node.said()


@pytest.mark.parametrize("pattern", ["puad-b*", "PUAD-B+0-3.CONF", "@saved"])
def test_slot_that_systemd_boot_is_pinned_to_stays(node: Node, pattern: str) -> None:
    loader_model.write_variable(node.machine.efivars, "LoaderEntryDefault", pattern)
    assert node.run("emergency") == 0
    assert node.reboots == 0
    assert "pinned to slot b" in node.said()


def test_deadline_of_a_complete_boot_of_a_good_slot_does_nothing(node: Node) -> None:
    node.booted = "a"
    node.set_systemctl("exit 0")
    assert node.run("--deadline") == 0
    assert node.reboots == 0
    assert node.said() == ""
    assert node.calls.read_text() == "is-active --quiet boot-complete.target\n"


def test_deadline_of_a_complete_boot_that_could_not_be_marked_good_reboots(node: Node) -> None:
    node.set_systemctl("exit 0")
    assert node.run("--deadline") == 0
    assert node.reboots == 1
    assert "has failed (deadline): the node reboots: slot b is not good" in node.said()


def test_deadline_names_what_the_boot_waits_for(node: Node) -> None:
    jobs = (
        "  7 fault-job.service       start running",
        " 12 sysinit.target          start waiting",
        " 31 puad-boot-failed.service start running",
    )
    node.set_systemctl("printf '%s\\n' " + " ".join(f"'{line}'" for line in jobs))
    assert node.run("--deadline") == 0
    assert "slot a is; the boot waits for fault-job.service\n" in node.said()


def test_long_list_of_start_jobs_is_cut(node: Node) -> None:
    node.set_systemctl("for n in 1 2 3 4 5 6 7; do echo $n unit-$n.service start running; done")
    assert node.run("--deadline") == 0
    assert "unit-4.service, unit-5.service and 2 more\n" in node.said()


def test_deadline_of_a_good_slot_whose_boot_is_not_complete_is_told(node: Node) -> None:
    node.booted = "a"
    assert node.run("--deadline") == 0
    assert node.reboots == 0
    assert "has failed (deadline): the node stays as it is: slot a is good" in node.said()


def test_deadline_of_a_boot_that_is_not_complete_reboots(node: Node) -> None:
    assert node.run("--deadline") == 0
    assert node.reboots == 1
    assert "has failed (deadline)" in node.said()


def test_systemd_that_does_not_answer_is_no_complete_boot(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.booted = "a"
    node.set_systemctl("exec sleep 1000")
    for module, name in ((boot_failed, "_ASK_SYSTEMD_S"), (last_words, "_FLUSH_S")):
        monkeypatch.setattr(module, name, 0.2)
    assert node.run("--deadline") == 0
    assert node.reboots == 0
    assert "the node stays as it is: slot a is good" in node.said()


BAD_CONFIGS = ['backend = "grubb"\n', "backend =", 'backend = "grub"\n[grub]\nboot = 1\n', None]


@pytest.mark.parametrize("text", BAD_CONFIGS)
def test_boot_that_cannot_be_told_stays_and_says_why(node: Node, text: str | None) -> None:
    node.set_config(text)
    assert node.run() == 1
    assert node.reboots == 0
    assert "slot ? has failed (unknown): the node stays as it is" in node.said()
    assert f"{node.config}" in node.said() or "unknown back end grubb" in node.said()
    assert "no boot loader knows the booted slot" in node.said()


@pytest.mark.parametrize("text", BAD_CONFIGS)
def test_bad_config_of_a_new_image_does_not_hold_the_node(
    node: Node, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    node.set_config(text)
    node.be_where_the_defaults_say(monkeypatch)
    assert node.run("emergency") == 0
    assert node.reboots == 1
    assert "the node reboots: slot b is not good and slot a is; this is by defaults" in node.said()


def test_bad_config_of_a_good_slot_changes_nothing(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.set_config(None)
    node.be_where_the_defaults_say(monkeypatch)
    node.booted = "a"
    assert node.run("emergency") == 0
    assert node.reboots == 0
    assert "slot a is good" in node.said()


def test_boot_loaders_that_do_not_agree_give_no_reason_to_reboot(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.set_config(None)
    node.be_where_the_defaults_say(monkeypatch)
    (tmp_path / "other").mkdir()
    other = GrubMachine(tmp_path / "other")
    other.backend().mark_bad("a")
    other.backend().setup.files.replace(other.backend().boot_folder("b") / "linux", b"kernel b")
    other.backend().arm("b", 3, Entry(frozenset({BootFileKind.LINUX}), "slot=b"))
    defaults = make_dataclass(
        "_", [("boot", "Path", other.boot)], bases=(GrubOptions,), frozen=True
    )
    monkeypatch.setattr(Grub, "options", defaults)
    assert node.run("emergency") == 0
    assert node.reboots == 0
    assert "neither is another one" in node.said()


@pytest.mark.parametrize("is_swallowed", [False, True])
def test_disk_that_does_not_answer_is_told(
    node: Node, monkeypatch: pytest.MonkeyPatch, is_swallowed: bool
) -> None:
    def hang(*_: object) -> str:
        with suppress(OSError) if is_swallowed else nullcontext():
            time.sleep(60)
        return "b"

    before = signal.getsignal(signal.SIGALRM)
    monkeypatch.setattr(boot_failed, "_FIND_OUT_S", 0.1)
    monkeypatch.setattr(boot_failed, "_find_booted", hang)
    assert node.run("emergency") == 1
    assert node.reboots == 0
    assert "the node stays as it is: it took longer than 0.1 s" in node.said()
    assert signal.getsignal(signal.SIGALRM) is before


def test_missing_esp_gives_no_reason_to_reboot(node: Node) -> None:
    node.machine.esp.rename(node.machine.folder / "gone")
    assert node.run() == 0
    assert node.reboots == 0
    assert "neither is another one" in node.said()


@pytest.mark.parametrize(("known", "tried"), [("vfat", ["vfat"]), ("ext4", ["vfat", "ext4"])])
def test_boot_partition_is_mounted_read_only_with_the_file_system_that_it_has(
    monkeypatch: pytest.MonkeyPatch, known: str, tried: list[str]
) -> None:
    mounts, made = FakeMounts(known, monkeypatch), BlockDevice("8:1", Path("/dev/sda1"), "8:0")
    boot_failed._mount_privately(made, Path("/boot"))
    assert mounts.calls == [("/dev/sda1", "/boot", kind, namespaces.READ_ONLY) for kind in tried]
    assert mounts.private


def test_boot_partition_that_cannot_be_mounted_is_told_with_each_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    FakeMounts("btrfs", monkeypatch)
    made = BlockDevice("8:1", Path("/dev/sda1"), "8:0")
    said = "mounted at /boot; vfat: Invalid argument; ext4: Invalid argument"
    with pytest.raises(BootloaderError, match=said) as caught:
        boot_failed._mount_privately(made, Path("/boot"))
    assert (caught.value.name, caught.value.on) == (ErrorName.STORAGE_FAILED, "/dev/sda1")


class FakeMounts:
    """The system calls, on a partition that has one file system."""

    def __init__(self, known: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.known = known
        self.private = False
        self.calls: list[tuple[str, str, str, int]] = []
        monkeypatch.setattr(namespaces, "unshare", self.unshare)
        monkeypatch.setattr(namespaces, "mount", self.mount)

    def unshare(self, what: int) -> None:
        assert what == namespaces.NEW_MOUNTS

    def mount(self, source: str, target: Path, kind: str, flags: int) -> None:
        if source == "none":
            assert (target, flags) == (Path("/"), namespaces.PRIVATE)
            self.private = True
            return
        self.calls.append((source, str(target), kind, flags))
        if kind != self.known:
            raise OSError(errno.EINVAL, f"mount {source} {target} {kind} : Invalid argument")


def test_words_do_not_wait_for_those_who_do_not_listen(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(last_words, "_KERNEL_LOG", tmp_path / "none")
    monkeypatch.setattr(last_words, "_LIMIT_S", 0.2)
    monkeypatch.setattr(
        last_words, "send_to_journal", lambda *_, **__: command.try_within(5, "/bin/sleep", "1")
    )
    assert node.run("emergency") == 0
    assert node.reboots == 1
    assert "has failed (emergency)" in capfd.readouterr().out


def test_journal_gets_the_fields_that_the_catalogue_explains(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, str]] = []
    monkeypatch.setattr(last_words, "send_to_journal", lambda _text, **fields: sent.append(fields))
    node.run("emergency")
    (fields,) = sent
    assert (fields["PUAD_SLOT"], fields["PUAD_REASON"]) == ("b", "emergency")
    catalogue = (Path(__file__).parents[3] / "systemd/puad.catalog").read_text()
    assert f"-- {fields['MESSAGE_ID']}\n" in catalogue


def test_try_within_tells_the_exit_code_or_nothing() -> None:
    assert command.try_within(30, "/bin/true") == 0
    assert command.try_within(30, "/bin/false") == 1
    assert command.try_within(0.2, "/bin/sleep", "1000") is None
    assert command.try_within(30, "/nonexistent") is None


def test_program_needs_no_library_for_d_bus() -> None:
    code = (
        "import sys; sys.modules['gi'] = None; import bootloader.boot_failed, bootloader.backends"
    )
    check = f"{code}; assert 'systemd-boot' in bootloader.backends.known()"
    subprocess.run([sys.executable, "-c", check], cwd=Path(__file__).parents[3], check=True)
