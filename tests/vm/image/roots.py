# SPDX-License-Identifier: Apache-2.0
"""Root: a Debian 13 folder tree that mmdebstrap makes once and that is kept.

Three of them: the *base* is what a node boots, all but puad itself; the *toolbox* has the Debian 13
programs that make disks and boot files (systemd-repart, ukify, GRUB), which the host's own release
has too old or not at all; the *emulator* has QEMU, a quarter faster than Debian 12's.

Byte code, initial RAM disk and kernel come with the base, so that the deb is all that is left to
add.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tests.demo.layout import key, tree_key
from tests.demo.mounts import remove_tree
from tests.demo.tool import run_tool
from tests.vm.image.layout import CACHE, LOG, PARTS

MIRROR = os.environ.get("PUAD_DEMO_MIRROR", "http://deb.debian.org/debian")
SUITE = "trixie"
BUILT_AT_S = 1_750_000_000
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_MAKE_TIMEOUT_S = 1800


@dataclass(frozen=True, slots=True)
class Recipe:
    """What goes into a root.

    Attributes:
        name: Its name in the cache.
        packages: Every package that is asked for by name.
        parts: A folder of files laid down before the packages come, relative to the root; may be
            empty.
        hooks: Shell lines run at the end, with the root as `$1`.
    """

    name: str
    packages: tuple[str, ...]
    parts: str = ""
    hooks: tuple[str, ...] = ()


# The image has one fixed file time, so byte code must not be compared with it.
_COMPILE = (
    'chroot "$1" python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash'
    " /usr/lib/python3 /usr/lib/python3.13"
)
BASE = Recipe(
    "base",
    (
        "ca-certificates",
        "dbus",
        "dosfstools",
        "e2fsprogs",
        "fdisk",
        "gir1.2-glib-2.0",
        "grub-common",
        "initramfs-tools",
        "linux-image-cloud-amd64",
        "openssh-server",
        "polkitd",
        "python3",
        "python3-cryptography",
        "python3-gi",
        "python3-psutil",
        "python3-pydbus",
        "python3-pyudev",
        "python3-requests",
        "python3-systemd",
        "python3-tuf",
        "python3-urllib3",
        "python3-zstandard",
        "qemu-guest-agent",
        "systemd",
        "systemd-boot-efi",
        "systemd-repart",
        "systemd-sysv",
        "udev",
        "zstd",
    ),
    "base",
    (_COMPILE,),
)
TOOLBOX = Recipe(
    "toolbox",
    (
        "dosfstools",
        "e2fsprogs",
        "erofs-utils",
        "fdisk",
        "gir1.2-glib-2.0",
        "grub-common",
        "grub-efi-amd64-bin",
        "mtools",
        "python3",
        "python3-gi",
        "python3-pyudev",
        "systemd-boot-efi",
        "systemd-repart",
        "systemd-ukify",
    ),
)
EMULATOR = Recipe("emulator", ("qemu-system-x86",))


def make_root(recipe: Recipe) -> Path:
    """The root's folder, from the cache if it is there."""
    parts = tree_key(PARTS / recipe.parts) if recipe.parts else ""
    made = CACHE / f"{recipe.name}-{key(SUITE, recipe, parts, _LEAN, _SETTLE, BUILT_AT_S)}"
    if not made.exists():
        half = made.with_suffix(".half")
        remove_tree(half)
        archives = CACHE / "archives"
        archives.mkdir(parents=True, exist_ok=True)
        env = {"SOURCE_DATE_EPOCH": str(BUILT_AT_S)}
        run_tool(_command(recipe, half, archives), LOG, timeout_s=_MAKE_TIMEOUT_S, env=env)
        half.rename(made)
    return made


_LEAN = (
    "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/man/*",
)
_SETTLE = (': >"$1/etc/machine-id"', 'rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/*')


def _command(recipe: Recipe, folder: Path, archives: Path) -> list[str | Path]:
    setup = [
        f'mkdir -p "$1/var/cache/apt/archives" && cp -t "$1/var/cache/apt/archives" {archives}/. -r'
    ]
    if recipe.parts:
        setup.append(f'cp -rT {PARTS / recipe.parts} "$1"')
    keep = f'cp -n -t {archives} "$1"/var/cache/apt/archives/*.deb'
    return [
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        f"--keyring={_KEYRING}",
        "--skip=download/empty,essential/unlink,cleanup/apt",
        '--aptopt=Acquire::Languages "none"',
        *(f"--dpkgopt={option}" for option in _LEAN),
        f"--include={','.join(recipe.packages)}",
        *(f"--setup-hook={hook}" for hook in setup),
        *(f"--customize-hook={hook}" for hook in (keep, *recipe.hooks, *_SETTLE)),
        SUITE,
        folder,
        MIRROR,
    ]
