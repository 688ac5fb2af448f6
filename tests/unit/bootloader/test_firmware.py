# SPDX-License-Identifier: Apache-2.0
"""The simulated firmware's file, and the simulated back end where it goes beyond the contract."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest

from bootloader import firmware
from bootloader.backend import Entry
from bootloader.errors import BootloaderError, ErrorName
from bootloader.firmware import BLOCK_BYTES, Header, Record, Torn
from bootloader.main import main
from bootloader.simulated_machine import SELECTED
from bootloader.slot import BootFileKind
from tests.unit.bootloader.machines import SLOTS, FirmwareMachine

NOTHING: frozenset[BootFileKind] = frozenset()
NO_FILES = {"a": NOTHING, "b": NOTHING}


def with_blocks(path: Path, *blocks: bytes) -> firmware.Firmware:
    path.write_bytes(b"".join(blocks))
    return firmware.read(path, SLOTS)


def block(document: object) -> bytes:
    text = json.dumps(document).encode()
    return (b"%08x %s\n" % (zlib.crc32(text), text)).ljust(BLOCK_BYTES, b"\0")


def test_read_gives_back_what_was_written(tmp_path: Path) -> None:
    record = Record(7, 2, 1, frozenset(BootFileKind), "ro quiet")
    header = Header(counting=False, pinned="b")
    blocks = [firmware.encode_header(header), firmware.encode_record(record)]
    state = with_blocks(tmp_path / "firmware", *blocks)
    assert state.header == header
    assert state.records == {"a": record, "b": None}
    assert state.next_generation() == 8


def test_read_of_no_file_is_an_empty_firmware(tmp_path: Path) -> None:
    state = firmware.read(tmp_path / "none", SLOTS)
    assert state.header == Header()
    assert state.records == {"a": None, "b": None}
    assert state.next_generation() == 1
    assert state.order(NO_FILES) == []


@pytest.mark.parametrize("cut", [1, 9, 40, 100])
def test_read_of_a_torn_block_is_torn_and_hurts_no_other(tmp_path: Path, cut: int) -> None:
    whole = firmware.encode_record(Record(1, command_line="ro"))
    torn = whole[:cut] + bytes(BLOCK_BYTES - cut)
    state = with_blocks(tmp_path / "firmware", torn, torn, whole)
    assert state.header == Header()
    assert state.records == {"a": Torn.TORN, "b": Record(1, command_line="ro")}


@pytest.mark.parametrize("document", [{}, [], {"generation": 1, "kinds": ["grub"]}, None])
def test_read_of_a_later_versions_entry_counts_as_torn(tmp_path: Path, document: object) -> None:
    blocks = [block({"later": 1}), block(document), block({"generation": 1})]
    state = with_blocks(tmp_path / "firmware", *blocks)
    assert state.header == Header()
    assert state.records == {"a": Torn.TORN, "b": Torn.TORN}


def test_order_is_armed_last_first_then_last_resort_then_torn() -> None:
    linux = frozenset({BootFileKind.LINUX})
    files = {"a": linux, "b": linux}

    def order(a: Record | Torn | None, b: Record | Torn | None) -> list[str]:
        return firmware.Firmware(Header(), {"a": a, "b": b}).order(files)

    assert order(Record(1), Record(2, 3, 0)) == ["b", "a"]
    assert order(Record(1), Record(2, 0, 3)) == ["a", "b"]
    assert order(Record(3), Record(2, 1, 0)) == ["a", "b"]
    assert order(Record(1, 0, 3), Record(2, 0, 3)) == ["b", "a"]
    assert order(Torn.TORN, Record(2, 0, 3)) == ["b", "a"]
    assert order(Torn.TORN, None) == ["a"]
    assert firmware.Firmware(Header(), {"a": Torn.TORN, "b": None}).order(NO_FILES) == []


def test_order_puts_a_pinned_slot_first_whatever_it_counts() -> None:
    records = {"a": Record(1, 0, 3), "b": Record(2, 3, 0)}
    assert firmware.Firmware(Header(pinned="a"), records).order(NO_FILES) == ["a", "b"]


def test_power_on_without_counting_takes_no_try(tmp_path: Path) -> None:
    machine = FirmwareMachine(tmp_path)
    machine.backend().init("a", Header(counting=False), "ro")
    machine.backend().arm("b", 1, Entry(NOTHING, "ro"))
    assert [machine.power_on() for _ in range(3)] == ["b"] * 3
    start = machine.backend().power_on()
    assert start is not None
    assert (start.tries_left, start.counted) == (1, False)


def test_arm_with_an_endless_command_line_is_refused(tmp_path: Path) -> None:
    machine = FirmwareMachine(tmp_path)
    with pytest.raises(BootloaderError) as caught:
        machine.backend().arm("b", 3, Entry(NOTHING, "x" * BLOCK_BYTES))
    assert caught.value.name is ErrorName.INVALID_ARGUMENT
    assert machine.power_on() == "a"


def test_boot_loaders_word_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    machine = FirmwareMachine(tmp_path)
    (machine.run / SELECTED).write_text("{")
    with pytest.raises(BootloaderError):
        machine.backend().booted()
    (machine.run / SELECTED).unlink()
    assert machine.backend().booted() is None


def test_firmware_command_makes_and_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "machine.toml"
    config.write_text(f'disk = "{tmp_path}"\npersist = "{tmp_path}"\n')
    assert main(["firmware", "init", "--config", str(config), "--slot", "b"]) == 0
    assert main(["firmware", "show", "--config", str(config)]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["primary"], shown["fallback"], shown["pinned"]) == ("b", "", "")
    assert shown["slots"]["b"]["assessment"] == "good"
    assert not shown["slots"]["a"]["has_entry"]


def test_program_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "machine.toml"
    config.write_text('disc = "/"')
    assert main(["boot", "--config", str(config)]) == 78
    assert "did you mean disk?" in capsys.readouterr().err
    config.write_text(f'disk = "{tmp_path}/none"\npersist = "{tmp_path}"\n')
    (tmp_path / "none").write_text("a file in place of the folder")
    assert main(["boot", "--config", str(config)]) == 74
    assert "none/firmware" in capsys.readouterr().err
