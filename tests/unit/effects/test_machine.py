# SPDX-License-Identifier: Apache-2.0
"""What is read of the kernel's figures, on this machine and on one of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from puad.core.neighbours import Reading
from puad.effects.machine import Machine

FILES = {
    "proc/loadavg": "1.50 2.00 3.00 2/110 11937\n",
    "proc/pressure/io": (
        "some avg10=0.23 avg60=0.26 avg300=0.16 total=8749178\n"
        "full avg10=0.22 avg60=0.23 avg300=0.12 total=6694260\n"
    ),
    "proc/self/cgroup": "9:name=systemd:/other\n0::/system.slice/puad.service\n",
    "proc/self/io": "rchar: 6976\nwchar: 0\nread_bytes: 4096\nwrite_bytes: 8192\n",
    "proc/diskstats": (
        "   7       0 loop0 10 0 1000 0 0 0 0 0 0 0 0\n"
        " 253       0 vda 100 3 2000 0 50 0 9000 0 0 0 0\n"
        " 253       1 vda1 99 3 1999 0 50 0 9000 0 0 0 0\n"
        " 104       0 cciss/c0d0 7 0 500 0 0 0 0 0 0 0 0\n"
        " 252       0 dm-0 90 0 1900 0 0 0 0 0 0 0 0\n"
    ),
    "sys/fs/cgroup/system.slice/puad.service/io.pressure": (
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\nfull avg10=0.00 total=2\n"
    ),
    "sys/block/vda/device/vendor": "0x1af4\n",
    "sys/block/cciss!c0d0/device/vendor": "0x103c\n",
    "sys/block/loop0/size": "8\n",
    "sys/block/dm-0/size": "8\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def read(tree: Path) -> Reading:
    return Machine(tree / "proc", tree / "sys").read()


def test_machine_tells_its_figures(tree: Path) -> None:
    reading = read(tree)
    assert reading.load == 1.5
    assert reading.stall_s == pytest.approx(8.749178)
    assert reading.own_stall_s == pytest.approx(1.5)
    assert reading.own_read_bytes == 4096
    assert reading.processors >= 1
    assert reading.own_cpu_s > 0


def test_machine_counts_disks_once_and_nothing_that_lies_on_one(tree: Path) -> None:
    assert read(tree).read_bytes == 2500 * 512


@pytest.mark.parametrize(
    ("file", "figure"),
    [
        ("proc/loadavg", "load"),
        ("proc/pressure/io", "stall_s"),
        ("proc/self/cgroup", "own_stall_s"),
        ("proc/self/io", "own_read_bytes"),
        ("proc/diskstats", "read_bytes"),
        ("sys/fs/cgroup/system.slice/puad.service/io.pressure", "own_stall_s"),
    ],
)
@pytest.mark.parametrize("text", [None, "", "something else\n"], ids=["absent", "empty", "odd"])
def test_figure_that_cannot_be_read_is_missing_alone(
    tree: Path, file: str, figure: str, text: str | None
) -> None:
    path = tree / file
    path.unlink()
    if text is not None:
        path.write_text(text)
    reading, whole = read(tree), {"load", "stall_s", "own_stall_s", "read_bytes", "own_read_bytes"}
    missing = {name for name in whole if getattr(reading, name) is None}
    assert missing == {figure}


def test_node_without_control_groups_of_today_tells_no_stall_of_its_own(tree: Path) -> None:
    (tree / "proc/self/cgroup").write_text("4:memory:/x\n0::/../../../etc\n")
    assert read(tree).own_stall_s is None


def test_this_machine_tells_its_load_and_its_clock_goes_on() -> None:
    first, second = Machine().read(), Machine().read()
    assert first.load is not None
    assert first.at_s <= second.at_s
    assert first.own_cpu_s <= second.own_cpu_s
