# SPDX-License-Identifier: Apache-2.0
"""U-Boot itself in QEMU, on a disk made of a folder, with its environment on that disk.

Debian's U-Boot for QEMU keeps its environment in a flash that it cannot write there; so what it
reads at first, from that flash, imports the environment from the disk and saves it back there. It
is U-Boot's own code that checks and makes its checksum; the tools read and write the same bytes.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from tests.integration.bootloader.grub_in_qemu import Boot, Disk, run, watch
from tests.integration.bootloader.stub_kernel import arm64_stub_kernel

BOOT_CMD: Final = Path("bootloader/u-boot/boot.cmd")
_UBOOT: Final = "/usr/lib/u-boot/qemu_arm64/u-boot.bin"
_SECTOR: Final = 512
_OFFSET: Final = 0x10000  # between the partition table and the first partition
_BYTES: Final = 0x4000
_FLASH_BYTES: Final = 64 << 20
_FLASH_ENVIRONMENT_BYTES: Final = 0x40000
_WHERE: Final = f"${{ramdisk_addr_r}} {_OFFSET // _SECTOR:x} {_BYTES // _SECTOR:x}"
_FIRST: Final = {
    "arch": "arm",
    "cpu": "armv8",
    "bootdelay": "0",
    "fdt_addr": "0x40000000",
    "scriptaddr": "0x40200000",
    "kernel_addr_r": "0x40400000",
    "ramdisk_addr_r": "0x44000000",
    "devtype": "virtio",
    "devnum": "0",
    "distro_bootpart": "1",
    "puad_save": f"env export -c -s {_BYTES:x} ${{ramdisk_addr_r}} && virtio write {_WHERE}",
    "bootcmd": f"virtio scan; virtio read {_WHERE}; env import -c ${{ramdisk_addr_r}} {_BYTES:x}; "
    "load virtio 0:1 ${scriptaddr} /boot.scr; source ${scriptaddr}",
}


def make_flash(folder: Path, **changes: str) -> Path:
    """The flash with the environment that U-Boot starts from."""
    flash, config, first = folder / "flash", folder / "flash.config", folder / "first.env"
    with flash.open("wb") as file:
        file.truncate(_FLASH_BYTES)
    config.write_text(f"{flash} 0x0 {_FLASH_ENVIRONMENT_BYTES:#x}\n")
    first.write_text("".join(f"{name}={value}\n" for name, value in (_FIRST | changes).items()))
    run("fw_setenv", "-c", config, "-f", first, "first", "1")
    return flash


def put_environment(disk: Disk, variables: dict[str, str]) -> None:
    """An environment on the disk with these variables, written by U-Boot's own tool."""
    config, default = _config(disk), disk.path.with_name("empty.env")
    script = disk.path.with_name("script")
    default.write_text("on_disk=1\n")
    script.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    run("fw_setenv", "-c", config, "-f", default, "-s", script)


def put_bytes(disk: Disk, data: bytes) -> None:
    """What stands on the disk in place of an environment."""
    with disk.path.open("r+b") as file:
        file.seek(_OFFSET)
        file.write(data.ljust(_BYTES, b"\0")[:_BYTES])


def environment(disk: Disk) -> dict[str, str]:
    """The environment on the disk, read by U-Boot's own tool; empty when it cannot be read."""
    argv = ["fw_printenv", "-c", str(_config(disk))]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


def power_on(disk: Disk, flash: Path) -> Boot:
    """One boot, to the reset by the stub kernel or to where boot.cmd gives up."""
    serial = disk.path.with_name("serial")
    argv = ["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53", "-accel", "tcg", "-m", "256"]
    argv += ["-nodefaults", "-display", "none", "-no-reboot", "-serial", f"file:{serial}"]
    argv += ["-bios", _UBOOT, "-device", "virtio-blk-device,drive=disk"]
    argv += ["-drive", f"if=none,id=disk,format=raw,file={disk.path}"]
    argv += ["-drive", f"if=pflash,index=1,format=raw,readonly=on,file={flash}"]
    console = watch(argv, serial)
    kernel = [line for line in console.splitlines() if line.startswith("stub ")]
    return Boot(kernel[0].removeprefix("stub ") if kernel else "", console)


def put_kernels(boot: Path) -> None:
    """Let every kernel that is there be one which tells its slot, and boot.cmd the real one."""
    for slot in ("a", "b"):
        path = boot / "puad" / slot / "linux"
        if path.exists() and path.stat().st_size:
            path.write_bytes(arm64_stub_kernel(f"stub {slot}"))
    run("mkimage", "-T", "script", "-d", BOOT_CMD, boot / "boot.scr")


def _config(disk: Disk) -> Path:
    config = disk.path.with_name("fw_env.config")
    config.write_text(f"{disk.path} {_OFFSET:#x} {_BYTES:#x}\n")
    return config
