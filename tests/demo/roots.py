# SPDX-License-Identifier: Apache-2.0
"""Root: a real Debian 13 root file system with everything that a node's programs need.

Two of them differ as two versions of an operating system do: in their packages. Each is made once
by mmdebstrap, from packages that Debian signed, and kept as a folder; the kernel that a release
carries as its boot file comes from the same archive.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.demo.layout import Layout, key
from tests.demo.mounts import remove_tree
from tests.demo.tool import run_tool

MIRROR = os.environ.get("PUAD_DEMO_MIRROR", "http://deb.debian.org/debian")
SUITE = "trixie"
PUAD_UID = 970
HEALTH_UID = 971
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_NODE_PACKAGES = (
    "ca-certificates",
    "dbus-daemon",
    "dbus-system-bus-common",
    "gir1.2-glib-2.0",
    "python3",
    "python3-cryptography",
    "python3-gi",
    "python3-psutil",
    "python3-pydbus",
    "python3-pyudev",
    "python3-requests",
    "python3-systemd",
    "python3-tuf",
    "python3-zstandard",
    "systemd",
    "systemd-sysv",
)
_LEAN = (
    "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/man/*",
)
# The image has one fixed file time, so byte code must not be compared with it.
_COMPILE = (
    'chroot "$1" python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash'
    " /usr/lib/python3 /usr/lib/python3.13"
)
_USER = (
    'chroot "$1" groupadd --system --gid {uid} {name} && '
    'chroot "$1" useradd --system --uid {uid} --gid {uid} --no-create-home'
    " --home-dir /var/lib/{name} --shell /usr/sbin/nologin {name}"
)
_MOUNT_POINTS = (
    'mkdir -p "$1/disk" && rm -f "$1/etc/machine-id" && '
    'ln -s ../var/lib/machine-id "$1/etc/machine-id"'
)
_TAKE_ARCHIVES = 'mkdir -p "$1/var/cache/apt/archives" && cp -t "$1/var/cache/apt/archives" {}/. -r'
_KEEP_ARCHIVES = 'cp -n -t {} "$1"/var/cache/apt/archives/*.deb'
_KERNEL = (
    'chroot "$1" sh -ec \'cd /tmp; kernel=$(apt-cache depends'
    " linux-image-cloud-$(dpkg --print-architecture)"
    ' | sed -n "s/.*Depends: \\(linux-image-[0-9].*\\)/\\1/p" | head -n 1);'
    ' apt-get -qq -o APT::Sandbox::User=root download "$kernel"\' && '
    'dpkg-deb --fsys-tarfile "$1"/tmp/linux-image-*.deb'
    " | tar -x -C {} --wildcards --strip-components=2 './boot/vmlinuz-*' && "
    'rm "$1"/tmp/linux-image-*.deb && mv {}/vmlinuz-* {}/linux'
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What goes into a root, beside what every node needs."""

    name: str
    extra: tuple[str, ...]

    @property
    def packages(self) -> tuple[str, ...]:
        """Every package that is asked for by name."""
        return tuple(sorted({*_NODE_PACKAGES, *self.extra}))


FIRST = Recipe("first", ("less", "nano", "netcat-openbsd"))
SECOND = Recipe("second", ("curl", "iproute2", "nftables", "openssh-client", "rsync", "vim-tiny"))


@dataclass(frozen=True, slots=True)
class Root:
    """A made root: the folder with its files, and the kernel that came with it."""

    recipe: Recipe
    tree: Path
    kernel: Path


def make_roots(layout: Layout, recipes: Sequence[Recipe], say: Callable[[str], None]) -> list[Root]:
    """The roots, from the cache where they are there."""
    return [_make(layout, recipe, say) for recipe in recipes]


def _make(layout: Layout, recipe: Recipe, say: Callable[[str], None]) -> Root:
    archives = layout.cache / "archives"
    archives.mkdir(parents=True, exist_ok=True)
    name = key(SUITE, recipe.packages, _hooks(Path(), Path()))
    made = layout.cache / f"root-{recipe.name}-{name}"
    if not made.exists():
        say(f"making the {recipe.name} Debian 13 root, {len(recipe.packages)} packages asked for")
        half = made.with_suffix(".half")
        remove_tree(half)
        half.mkdir()
        run_tool(_command(recipe, half, archives), layout.logs / "images.log", timeout_s=1200)
        half.rename(made)
    return Root(recipe, made / "tree", made / "linux")


def _command(recipe: Recipe, folder: Path, archives: Path) -> list[str | Path]:
    setup, customize = _hooks(folder, archives)
    return [
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        f"--keyring={_KEYRING}",
        "--skip=download/empty,essential/unlink",
        '--aptopt=Acquire::Languages "none"',
        *(f"--dpkgopt={option}" for option in _LEAN),
        f"--include={','.join(recipe.packages)}",
        *(f"--setup-hook={hook}" for hook in setup),
        *(f"--customize-hook={hook}" for hook in customize),
        SUITE,
        folder / "tree",
        MIRROR,
    ]


def _hooks(folder: Path, archives: Path) -> tuple[list[str], list[str]]:
    setup = [_TAKE_ARCHIVES.format(archives)]
    customize = [
        _KEEP_ARCHIVES.format(archives),
        _USER.format(uid=PUAD_UID, name="puad"),
        _USER.format(uid=HEALTH_UID, name="puad-health"),
        _MOUNT_POINTS,
        _COMPILE,
        _KERNEL.format(folder, folder, folder),
    ]
    return setup, customize
