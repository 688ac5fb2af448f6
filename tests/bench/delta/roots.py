# SPDX-License-Identifier: Apache-2.0
"""Root: a real Debian root file system of an edge node, of one suite and with or without its fixes.

Roots differ only in where their packages come from: the same packages are asked for by name. Each
is made once by mmdebstrap and kept as a folder under `build/cache/bench`; its name holds its
recipe, not the state of the archive, so a benchmark that is run again measures the same bytes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.demo.layout import REPOSITORY, key
from tests.demo.mounts import remove_tree
from tests.demo.tool import run_tool

CACHE: Final = REPOSITORY / "build/cache/bench"
MIRROR: Final = os.environ.get("PUAD_DEMO_MIRROR", "http://deb.debian.org/debian")
SECURITY_MIRROR: Final = os.environ.get(
    "PUAD_BENCH_SECURITY_MIRROR", "http://deb.debian.org/debian-security"
)
# File times in the images: they are the same everywhere, as reproducible builds have them.
EPOCH: Final = 1_750_000_000
_KEYRING: Final = "/usr/share/keyrings/debian-archive-keyring.gpg"
_LIMIT_S: Final = 1800
_PACKAGES: Final = (
    "ca-certificates",
    "chrony",
    "cryptsetup-bin",
    "curl",
    "dbus",
    "dosfstools",
    "e2fsprogs",
    "ethtool",
    "git",
    "initramfs-tools",
    "iproute2",
    "iputils-ping",
    "jq",
    "kmod",
    "less",
    "nftables",
    "nginx",
    "openssh-server",
    "openssl",
    "pciutils",
    "podman",
    "python3",
    "python3-cryptography",
    "python3-gi",
    "python3-psutil",
    "python3-pyudev",
    "python3-requests",
    "python3-systemd",
    "python3-zstandard",
    "rsync",
    "smartmontools",
    "sqlite3",
    "sudo",
    "systemd",
    "systemd-sysv",
    "tcpdump",
    "udev",
    "vim-tiny",
    "zstd",
)
_LEAN: Final = (
    "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/man/*",
)
_TAKE_ARCHIVES: Final = (
    'mkdir -p "$1/var/cache/apt/archives" && cp -t "$1/var/cache/apt/archives" {}/. -r'
)
_KEEP_ARCHIVES: Final = 'cp -n -t {} "$1"/var/cache/apt/archives/*.deb'
# What differs from build to build, and says nothing of the packages.
_CLEAN: Final = (
    'rm -rf "$1/etc/apt/preferences.d/bench" "$1/etc/machine-id" "$1/etc/hostname"'
    ' "$1/etc/resolv.conf" "$1/var/cache/ldconfig" "$1"/etc/ssh/ssh_host_*'
    ' && find "$1/var/log" -type f -delete'
)
# Only the kernel may come from the suites with fixes.
_PIN: Final = (
    'mkdir -p "$1/etc/apt/preferences.d" && printf "%s\\n"'
    ' "Package: *" "Pin: release l=Debian-Security" "Pin-Priority: -1" ""'
    ' "Package: linux-image-*" "Pin: release l=Debian-Security" "Pin-Priority: 990"'
    ' >"$1/etc/apt/preferences.d/bench"'
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Where the packages of a root come from.

    Attributes:
        name: Its word in file names.
        suite: The suite of Debian.
        fixes: Which fixes come on top: none, all, or those of the kernel.
        kernel: The package that brings the kernel.
    """

    name: str
    suite: str
    fixes: str = "none"
    kernel: str = "linux-image-cloud-amd64"

    @property
    def sources(self) -> tuple[str, ...]:
        """Lines of sources.list."""
        own = f"deb {MIRROR} {self.suite} main"
        if self.fixes == "none":
            return (own,)
        fixed = f"deb {SECURITY_MIRROR} {self.suite}-security main"
        later = f"deb {MIRROR} {self.suite}-updates main"
        return (own, fixed, later) if self.fixes == "all" else (own, fixed)


POINT_RELEASE: Final = Recipe("debian12", "bookworm")
WITH_FIXES: Final = Recipe("debian12-fixed", "bookworm", fixes="all")
WITH_KERNEL: Final = Recipe("debian12-kernel", "bookworm", fixes="kernel")
NEXT_MAJOR: Final = Recipe("debian13", "trixie")
# The kernel of bare metal brings some 350 MiB of modules: an image of the usual size.
BARE_METAL: Final = Recipe("debian12-metal", "bookworm", kernel="linux-image-amd64")


def make_root(recipe: Recipe, say: Callable[[str], None] = print) -> Path:
    """The folder of a root, from the cache when it is there.

    Raises:
        ToolError: When it cannot be made.
    """
    archives = CACHE / "archives"
    archives.mkdir(parents=True, exist_ok=True)
    made = CACHE / f"root-{recipe.name}-{key(recipe, _PACKAGES, _LEAN, _CLEAN, _PIN, EPOCH)}"
    if not made.exists():
        say(f"making the root {recipe.name}")
        half = made.with_suffix(".half")
        remove_tree(half)
        environment = {"SOURCE_DATE_EPOCH": str(EPOCH)}
        command = _command(recipe, half, archives)
        run_tool(command, CACHE / "roots.log", timeout_s=_LIMIT_S, env=environment)
        half.rename(made)
    return made


def packages_of(root: Path) -> dict[str, str]:
    """The version of each package in a root."""
    status = (root / "var/lib/dpkg/status").read_text(encoding="utf-8")
    found = re.finditer(r"^Package: (\S+)$(?:\n.+)*?\nVersion: (\S+)$", status, re.MULTILINE)
    return {match[1]: match[2] for match in found}


def _command(recipe: Recipe, folder: Path, archives: Path) -> list[str | Path]:
    pins = [_PIN] if recipe.fixes == "kernel" else []
    return [
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        f"--keyring={_KEYRING}",
        "--skip=download/empty,essential/unlink",
        '--aptopt=Acquire::Languages "none"',
        *(f"--dpkgopt={option}" for option in _LEAN),
        f"--include={','.join((*_PACKAGES, recipe.kernel))}",
        *(f"--setup-hook={hook}" for hook in (_TAKE_ARCHIVES.format(archives), *pins)),
        *(f"--customize-hook={hook}" for hook in (_KEEP_ARCHIVES.format(archives), _CLEAN)),
        recipe.suite,
        folder,
        *recipe.sources,
    ]
