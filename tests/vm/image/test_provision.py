# SPDX-License-Identifier: Apache-2.0
"""puad-provision on files, with the systemd-repart of Debian 13."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.demo.layout import REPOSITORY
from tests.demo.tool import ToolError
from tests.vm.image.disk import DEFINITIONS, Disk, NodeFiles, make_disk, run_provision
from tests.vm.image.layout import PARTS
from tests.vm.image.recipe import NodeImage, Spec, build
from tests.vm.image.roots import TOOLBOX, make_root

SEED = uuid.UUID("0c5a4f1e-2b1d-4a7e-8d53-6f2b8a1c9e10")
LABELS = ["esp", "rootfs_a", "rootfs_b", "persist"]
MIB = 1 << 20


@pytest.fixture(scope="module")
def image() -> NodeImage:
    built = build(Spec("1.0"))
    passwd = "root:x:0:0::/:/x\npuad:x:971:972::/:/x\npuad-health:x:973:974::/:/x\n"
    folder = built.root.parent / "test-provision/etc"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "passwd").write_text(passwd)
    return dataclasses.replace(built, tree=folder.parent)


def first_boot(disk: Path, image: NodeImage, definitions: Path = DEFINITIONS) -> dict[str, Any]:
    options: list[str | Path] = ["--first-boot", "--json", "--definitions", definitions]
    config = PARTS / "bootloader-systemd-boot.toml"
    passwd = disk.with_name("passwd")
    shutil.copyfile(image.tree / "etc/passwd", passwd)
    return run_provision([disk, *options, "--config", config, "--passwd", passwd], [disk.parent])


def table(disk: Path) -> str:
    return subprocess.check_output(["/usr/sbin/sfdisk", "--dump", disk], text=True)


def authority() -> str:
    """A certificate, PEM."""
    request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    options = [*request, "-keyout", "/dev/null", "-subj", "/CN=test", "-days", "1"]
    return subprocess.check_output(
        ["/usr/bin/openssl", *options], text=True, stderr=subprocess.DEVNULL
    )


def from_persist(disk: Path, offset: int, command: str) -> str:
    """What debugfs says of the persistent partition."""
    part = disk.with_suffix(".persist")
    with disk.open("rb") as source, part.open("wb") as target:
        source.seek(offset)
        shutil.copyfileobj(source, target)
    check = subprocess.run(["/usr/sbin/e2fsck", "-fn", part], capture_output=True, check=False)
    assert check.returncode == 0, check.stdout
    return subprocess.check_output(
        ["/usr/sbin/debugfs", "-R", command, part], text=True, stderr=subprocess.DEVNULL
    )


def test_disk_made_has_everything_and_slot_a_holds_the_image(
    image: NodeImage, tmp_path: Path
) -> None:
    files = NodeFiles(config="[server]\n", token="secret\n", ca=authority())
    disk = make_disk(image, tmp_path / "disk", files=files, identity=SEED)
    assert list(disk.ids) == LABELS
    assert all(part.upper() in table(disk.path) for part in disk.ids.values())
    root = image.root.read_bytes()
    with disk.path.open("rb") as file:
        file.seek(disk.offsets["rootfs_a"])
        assert file.read(len(root)) == root
        file.seek(disk.offsets["rootfs_b"])
        assert not any(file.read(MIB))
    esp = f"{disk.path}@@{disk.offsets['esp']}"
    entry = ["/usr/bin/mtype", "-i", esp, "::loader/entries/puad-a.conf"]
    text = subprocess.check_output(entry, text=True)
    for label in ("esp", "rootfs_a", "persist"):
        assert f"PARTUUID={disk.ids[label]}" in text
    assert f"systemd.machine_id={disk.machine_id}" in text
    assert "puad.provision" not in text
    persist = disk.offsets["persist"]
    assert "secret" in from_persist(disk.path, persist, "cat /var/lib/puad/token")
    owner = from_persist(disk.path, persist, "stat /var/lib/puad/token")
    assert "User:   971" in owner
    assert "Mode:  0600" in owner


def test_disk_that_is_not_blank_is_made_anew_only_with_wipe(
    image: NodeImage, tmp_path: Path
) -> None:
    disk = make_disk(image, tmp_path / "disk", identity=SEED)
    before = table(disk.path)
    again: list[str | Path] = [disk.path, "--json", "--root-image", tmp_path / "root"]
    again += ["--linux", tmp_path / "linux"]
    loader = Path("/usr/lib/systemd/boot/efi/systemd-bootx64.efi")
    again += ["--boot-loader", loader, "--definitions", DEFINITIONS, "--slot-size", "256M"]
    again += ["--esp-size", "64M", "--config", PARTS / "bootloader-systemd-boot.toml"]
    again += ["--passwd", tmp_path / "passwd"]
    shutil.copyfile(image.root, tmp_path / "root")
    shutil.copyfile(image.linux, tmp_path / "linux")
    shutil.copyfile(image.tree / "etc/passwd", tmp_path / "passwd")
    with pytest.raises(ToolError, match="not blank: it holds PMBR, gpt"):
        run_provision(again, [tmp_path])
    assert table(disk.path) == before
    planned = run_provision([*again, "--wipe", "--dry-run"], [tmp_path])
    assert (planned["changed"], len(planned["partitions"])) == (False, 4)
    assert table(disk.path) == before
    made = run_provision([*again, "--wipe"], [tmp_path])
    assert made["changed"] is True
    assert set(disk.ids.values()).isdisjoint(item["part_id"] for item in made["partitions"])


def test_image_larger_than_its_slot_is_refused_before_anything_is_written(
    image: NodeImage, tmp_path: Path
) -> None:
    with (tmp_path / "root").open("wb") as file:
        file.truncate((4 << 30) + 4096)
    larger = dataclasses.replace(image, root=tmp_path / "root")
    shutil.copyfile(larger.linux, tmp_path / "linux")
    shutil.copyfile(image.tree / "etc/passwd", tmp_path / "passwd")
    loader = Path("/usr/lib/systemd/boot/efi/systemd-bootx64.efi")
    given: list[str | Path] = [tmp_path / "disk", "--root-image", larger.root]
    given += ["--linux", tmp_path / "linux"]
    given += ["--boot-loader", loader, "--definitions", DEFINITIONS]
    given += ["--config", PARTS / "bootloader-systemd-boot.toml"]
    given += ["--passwd", tmp_path / "passwd"]
    for disk, why in (("16G", "does not fit in a slot of 4294967296"), ("8G", "do not fit")):
        with pytest.raises(ToolError, match=f"(?s){why}.*--slot-size"):
            run_provision([*given, "--size", disk], [tmp_path])
        assert not (tmp_path / "disk").exists()


def test_factory_disk_gets_the_rest_on_its_first_boot_once(
    image: NodeImage, tmp_path: Path
) -> None:
    disk = factory(image, tmp_path)
    before = disk.path.read_bytes()[: disk.offsets["rootfs_a"] + 256 * MIB]
    made = first_boot(disk.path, image)
    assert [item["label"] for item in made["partitions"]] == ["rootfs_b", "persist"]
    after = disk.path.read_bytes()[: disk.offsets["rootfs_a"] + 256 * MIB]
    assert after[MIB:] == before[MIB:]
    persist = made["partitions"][1]["offset"]
    assert "User:   971" in from_persist(disk.path, persist, "stat /var/lib/puad")
    whole = table(disk.path)
    assert first_boot(disk.path, image)["changed"] is False
    assert table(disk.path) == whole


def test_first_boot_takes_a_partition_of_the_integrator_as_it_is(
    image: NodeImage, tmp_path: Path
) -> None:
    disk = factory(image, tmp_path)
    size = disk.path.stat().st_size
    os.truncate(disk.path, size + 64 * MIB)
    script = "size=32MiB, type=linux, name=data\n"
    command: list[str | Path] = ["/usr/sbin/sfdisk", "--append", "--quiet", disk.path]
    subprocess.run(command, input=script.encode(), check=True)
    definitions = tmp_path / "repart.d"
    shutil.copytree(DEFINITIONS, definitions)
    own = "[Partition]\nType=linux-generic\nLabel=data\nSizeMinBytes=32M\nSizeMaxBytes=32M\n"
    (definitions / "50-data.conf").write_text(own)
    before = next(line for line in table(disk.path).splitlines() if 'name="data"' in line)
    made = first_boot(disk.path, image, definitions)
    assert [item["label"] for item in made["partitions"]] == ["rootfs_b", "persist"]
    assert before in table(disk.path)
    assert first_boot(disk.path, image, definitions)["changed"] is False


@pytest.mark.parametrize("call", ["sendfile", "write"])
def test_first_boot_that_is_cut_at_any_write_goes_on_at_the_next(
    image: NodeImage, tmp_path: Path, call: str
) -> None:
    disk = factory(image, tmp_path)
    kept = shutil.copyfile(disk.path, tmp_path / "kept")
    before = table(disk.path)
    cuts = 0
    while is_cut_at(cuts + 1, call, disk.path, image):
        cuts += 1
        # the table is written last: before that the disk is as it was
        assert table(disk.path) == before or all(map(table(disk.path).count, LABELS))
        first_boot(disk.path, image)
        assert [f'name="{label}"' in table(disk.path) for label in LABELS] == [True] * 4
        assert first_boot(disk.path, image)["changed"] is False
        shutil.copyfile(kept, disk.path)
    assert cuts  # else it writes by another call by now


def is_cut_at(number: int, call: str, disk: Path, image: NodeImage) -> bool:
    """Make a first boot, killed when it begins that write to the disk; whether it came so far."""
    seen = f"{make_root(TOOLBOX)}{disk.resolve()}"  # as a process in the toolbox has it open
    inject = [f"--trace={call}", f"--inject={call}:signal=SIGKILL:when={number}"]
    trace = ["/usr/bin/strace", "-f", "-qq", "-P", seen, *inject, "--output=/dev/null"]
    program = [sys.executable, __file__, str(disk), str(image.tree)]
    done = subprocess.run([*trace, *program], cwd=REPOSITORY, capture_output=True, check=False)
    assert done.returncode == 0 or b"systemd-repart" in done.stdout + done.stderr
    return done.returncode != 0


def factory(image: NodeImage, folder: Path) -> Disk:
    disk = make_disk(image, folder / "disk", identity=SEED, factory=True)
    assert list(disk.ids) == ["esp", "rootfs_a"]
    assert disk.machine_id == "firmware"
    esp = f"{disk.path}@@{disk.offsets['esp']}"
    entry = ["/usr/bin/mtype", "-i", esp, "::loader/entries/puad-a.conf"]
    assert " puad.provision " in subprocess.check_output(entry, text=True)
    return disk


if __name__ == "__main__":  # the process that is killed
    sys.path.insert(0, str(REPOSITORY))
    given = dataclasses.replace(build(Spec("1.0")), tree=Path(sys.argv[2]))
    first_boot(Path(sys.argv[1]), given)
