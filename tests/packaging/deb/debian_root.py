# SPDX-License-Identifier: Apache-2.0
"""A clean Debian 13 root: the packages are installed, upgraded, removed and purged in copies of it.

It has systemd and no Python. What puad depends on lies in its package cache and is installed only
by apt, without a network: so a dependency that control does not name is missing. Copies are
overlays and cost nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.demo.mounts import remove_tree

REPOSITORY = Path(__file__).resolve().parents[3]
CACHE = REPOSITORY / "build/cache/packaging"
MIRROR = os.environ.get("PUAD_DEMO_MIRROR", "http://deb.debian.org/debian")
_PATIENCE_S = 900
_RECIPE = (
    "--mode=root",
    "--variant=minbase",
    "--keyring=/usr/share/keyrings/debian-archive-keyring.gpg",
    "--skip=cleanup/apt",
    '--aptopt=Acquire::Languages "none"',
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--include=dbus,init-system-helpers,systemd,systemd-sysv,udev",
)
_NO_SERVICES = "#!/bin/sh\nexit 101\n"


@dataclass(frozen=True, slots=True)
class DebianRoot:
    """A root that is laid over others; what happens in it stays in `own`.

    Attributes:
        tree: Where it can be seen.
        own: What was changed in it.
        below: The folders under it, the uppermost first.
    """

    tree: Path
    own: Path
    below: tuple[Path, ...]

    def call(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, with a /proc of its own and no network."""
        return subprocess.run(
            [
                *("/usr/bin/unshare", "--mount", "--pid", "--net", "--fork", "--kill-child"),
                *(f"--root={self.tree}", "--wd=/", "--mount-proc", *command),
            ],
            env={
                "PATH": "/usr/sbin:/usr/bin",
                "LC_ALL": "C.UTF-8",
                "DEBIAN_FRONTEND": "noninteractive",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE_S,
        )

    def run(self, *command: str) -> str:
        """Run a command that must succeed; what it prints."""
        done = self.call(*command)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def apt(self, verb: str, *packages: str) -> str:
        """Have apt do something with what lies in its cache."""
        options = ("--assume-yes", "--no-install-recommends", "-oDpkg::Use-Pty=0")
        return self.run("apt-get", *options, verb, *packages)

    def take(self, packages: Sequence[Path]) -> list[str]:
        """Put package files into its /tmp; their names there."""
        for package in packages:
            shutil.copy(package, self.tree / "tmp")
        return [f"/tmp/{package.name}" for package in packages]

    def files(self) -> set[str]:
        """Every path in it but those of apt's and dpkg's own bookkeeping and of /tmp."""
        found: set[str] = set()
        for folder, names, files in os.walk(self.tree):
            at = Path(folder).relative_to(self.tree)
            found.update(str(at / name) for name in (*names, *files))
        return {path for path in found if not path.startswith(_BOOKKEEPING)}


_BOOKKEEPING = ("proc/", "tmp/", "var/lib/dpkg/", "var/lib/apt/", "var/cache/", "var/log/")


@contextlib.contextmanager
def overlay(folder: Path, below: Sequence[Path]) -> Iterator[DebianRoot]:
    """A root over others, for a while."""
    parts = {name: folder / name for name in ("own", "work", "tree")}
    for part in parts.values():
        part.mkdir(parents=True)
    lower = ":".join(map(str, below))
    options = f"lowerdir={lower},upperdir={parts['own']},workdir={parts['work']}"
    mount = ["/usr/bin/mount", "-t", "overlay", "overlay", "-o", options, str(parts["tree"])]
    subprocess.run(mount, check=True, timeout=60)
    try:
        yield DebianRoot(parts["tree"], parts["own"], tuple(below))
    finally:
        subprocess.run(["/usr/bin/umount", str(parts["tree"])], check=True, timeout=60)


def clean_root(depends: Sequence[str]) -> Path:
    """The root without puad, from the cache where it is there.

    Args:
        depends: What puad depends on; laid into the package cache.
    """
    seen = repr((_RECIPE, _NO_SERVICES, sorted(depends)))
    made = CACHE / f"root-{hashlib.sha256(seen.encode()).hexdigest()[:16]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            _make(made, depends)
    return made


def _make(made: Path, depends: Sequence[str]) -> None:
    for old in CACHE.glob("root-*"):
        shutil.rmtree(old)
    half = made.with_name("half")
    remove_tree(half)
    fetch = "apt-get --assume-yes --download-only --no-install-recommends install"
    command = [
        "mmdebstrap",
        *_RECIPE,
        f'--customize-hook=chroot "$1" {fetch} {" ".join(sorted(depends))}',
        '--customize-hook=rm -f "$1/etc/resolv.conf"',
        "trixie",
        str(half),
        MIRROR,
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_PATIENCE_S)
    assert done.returncode == 0, done.stderr
    policy = half / "usr/sbin/policy-rc.d"
    policy.write_text(_NO_SERVICES, "ascii")
    policy.chmod(0o755)
    half.rename(made)
