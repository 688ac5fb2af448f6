# SPDX-License-Identifier: Apache-2.0
"""Tree: a node's root file system as a folder, from the base and the deb, without a version.

It is kept by the base's, the deb's and the parts' contents; versions and faults are laid over a
copy of hard links, so that another image costs seconds.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.demo.layout import key, tree_key
from tests.demo.tool import run_tool
from tests.vm.image.layout import CACHE, LOG, PARTS
from tests.vm.image.roots import BASE, make_root

PROFILE = "edge"
_ENABLED = ("systemd-networkd.service", "var.mount", "ssh.socket")
# Timers and one-time work that an immutable root has no use for, and what is slow without KVM.
_MASKED = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty@tty1.service",
    "grub-common.service",
    "kmod-static-nodes.service",
    "ldconfig.service",
    "modprobe@configfs.service",
    "modprobe@dm_mod.service",
    "modprobe@drm.service",
    "modprobe@fuse.service",
    "modprobe@loop.service",
    "proc-sys-fs-binfmt_misc.automount",
    "run-lock.mount",
    "serial-getty@ttyS0.service",
    "sshd-keygen.service",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-ask-password-console.path",
    "systemd-ask-password-wall.path",
    "systemd-binfmt.service",
    "systemd-hibernate-clear.service",
    "systemd-hwdb-update.service",
    "systemd-journal-catalog-update.service",
    "systemd-modules-load.service",
    "systemd-network-generator.service",
    "systemd-networkd-persistent-storage.service",
    "systemd-networkd-wait-online.service",
    "systemd-pcrmachine.service",
    "systemd-pcrphase-sysinit.service",
    "systemd-pcrphase.service",
    "systemd-random-seed.service",
    "systemd-remount-fs.service",
    "systemd-tmpfiles-setup-dev-early.service",
    "systemd-tpm2-setup-early.service",
    "systemd-tpm2-setup.service",
    "systemd-udev-load-credentials.service",
    "systemd-update-done.service",
    "systemd-user-sessions.service",
)
# What has no part in a node's life: each MiB is hashed several times by a slow processor.
_DROPPED = (
    "boot/*",
    "etc/ssh/ssh_host_*",
    "initrd.img*",
    "usr/bin/apt*",
    "usr/bin/grub-*",
    "usr/bin/openssl",
    "usr/bin/perl*",
    "usr/bin/sqv",
    "usr/lib/apt",
    "usr/lib/grub",
    "usr/lib/modules/*/kernel/arch/x86/kvm",
    "usr/lib/modules/*/kernel/drivers/[ahsu]*",
    "usr/lib/modules/*/kernel/drivers/net/[!nv]*",
    "usr/lib/modules/*/kernel/fs/[!abefjnpv]*",
    "usr/lib/modules/*/kernel/net/[!p]*",
    "usr/lib/python3/dist-packages/chardet",
    "usr/lib/python3/dist-packages/psutil/tests",
    "usr/lib/python3.13/idlelib",
    "usr/lib/python3.13/pydoc_data",
    "usr/lib/python3.13/test",
    # of the generators only the one that reads systemd.mount-extra= has anything to do
    "usr/lib/systemd/system-generators/systemd-[!f]*",
    "usr/lib/udev/hwdb.*",
    "usr/lib/udev/rules.d/*-dm*.rules",
    "usr/lib/udev/rules.d/*-mtd.rules",
    "usr/lib/udev/rules.d/*-persistent-[aiv]*.rules",
    "usr/lib/udev/rules.d/*-storage-[dmt]*.rules",
    "usr/lib/udev/rules.d/50-firmware.rules",
    "usr/lib/udev/rules.d/60-[acdefis]*.rules",
    "usr/lib/udev/rules.d/64-btrfs.rules",
    "usr/lib/udev/rules.d/7[018]-[cjmstu]*.rules",
    "usr/lib/udev/rules.d/73-seat-late.rules",
    "usr/lib/udev/rules.d/75-probe_mtd.rules",
    "usr/lib/udev/rules.d/9[06]-*.rules",
    "usr/lib/x86_64-linux-gnu/gconv",
    "usr/lib/x86_64-linux-gnu/libapt-*",
    "usr/lib/x86_64-linux-gnu/perl*",
    "usr/sbin/grub-*",
    "usr/share/grub",
    "usr/share/perl*",
    "usr/share/zoneinfo/[A-T]*",
    "usr/src",
    "var/cache/*",
    "var/lib/apt",
    "var/lib/dpkg",
    "var/log/*",
    "vmlinuz*",
)


def make_tree(deb: Path | None) -> Path:
    """The folder of the node's root; `deb` is the package puad, none for a node without it."""
    base = make_root(BASE)
    program = deb.read_bytes() if deb else b""
    own = tree_key(PARTS / "node", Path(__file__))
    made = CACHE / f"node-{key(base.name, program, own)}"
    if not made.exists():
        half = made.with_suffix(".half")
        shutil.rmtree(half, ignore_errors=True)
        run_tool(["cp", "-a", base, half], LOG)
        if deb:
            _install(half, deb)
        run_tool(["cp", "-rT", PARTS / "node", half], LOG)
        _settle(half)
        half.rename(made)
    return made


def _install(root: Path, deb: Path) -> None:
    inside = root / "tmp" / deb.name
    shutil.copyfile(deb, inside)
    command: list[str | Path] = ["chroot", root, "dpkg", "--install", f"/tmp/{deb.name}"]
    run_tool(command, LOG, env={"DEBIAN_FRONTEND": "noninteractive", "PATH": _PATH})
    inside.unlink()
    # The image has one fixed file time, so byte code must not be compared with it.
    compiled = ["python3", "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash"]
    run_tool(["chroot", root, *compiled, "/usr/share/puad"], LOG, env={"PATH": _PATH})


_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def _settle(root: Path) -> None:
    chroot: list[str | Path] = ["chroot", root, "systemctl"]
    run_tool([*chroot, "disable", "--quiet", "ssh.service"], LOG)
    run_tool([*chroot, "enable", "--quiet", *_ENABLED], LOG)
    run_tool([*chroot, "mask", "--quiet", *_MASKED], LOG)
    for pattern in _DROPPED:
        for path in root.glob(pattern):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    (modules,) = (root / "usr/lib/modules").iterdir()
    run_tool(["chroot", root, "depmod", modules.name], LOG)
    for folder in ("efi", "persist"):
        (root / folder).mkdir(exist_ok=True)
    (root / "etc/hostname").write_text("edge\n", encoding="ascii")
    (root / "etc/machine-id").write_bytes(b"")
    resolv = root / "etc/resolv.conf"
    resolv.unlink(missing_ok=True)
    resolv.symlink_to("../run/systemd/resolve/resolv.conf")
