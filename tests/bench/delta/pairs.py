# SPDX-License-Identifier: Apache-2.0
"""Pairs: an old and a new root image, as real as Debian's packages make them.

- `fixes`: a point release of Debian 12 → the same with its security fixes, kernel and initrd in it.
- `fixes-no-boot`: the same, kernel and initrd outside the image, as staged boot files.
- `fixes-unpacked`: the same, kernel and initrd in it, the initrd not compressed.
- `kernel`: only the kernel's packages differ.
- `major`: Debian 12 → Debian 13, the bad case.

The images are uncompressed erofs with fixed times and UUID, kept under `build/cache/bench`.
`python -m tests.bench.delta.pairs` makes those that are missing and names them all.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.delta import roots
from tests.bench.delta.roots import CACHE, EPOCH, Recipe, make_root, packages_of
from tests.demo.layout import key
from tests.demo.tool import run_tool

_UUID: Final = "5b1c9a5e-6f0d-4a86-9d5e-2f6d3c0f6e01"
_BOOT_FILES: Final = r"^boot/(vmlinuz|initrd\.img)"
_UNPACK: Final = {
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ": "xz",
}


@dataclass(frozen=True, slots=True)
class Pair:
    """Which two roots, and what of them is in the images.

    Attributes:
        name: Its word on the command line.
        old: The root of the old image.
        new: The root of the new image.
        boot: What becomes of kernel and initrd: `inside`, `outside`, or `unpacked`.
    """

    name: str
    old: Recipe
    new: Recipe
    boot: str = "inside"


@dataclass(frozen=True, slots=True)
class Images:
    """A pair that was made.

    Attributes:
        pair: What it is.
        old: The old image.
        new: The new image.
        packages: Packages in the new image.
        differing: How many of them the old one has not, or in another version.
    """

    pair: Pair
    old: Path
    new: Path
    packages: int
    differing: int


PAIRS: Final = {
    pair.name: pair
    for pair in (
        Pair("fixes", roots.POINT_RELEASE, roots.WITH_FIXES),
        Pair("fixes-no-boot", roots.POINT_RELEASE, roots.WITH_FIXES, "outside"),
        Pair("fixes-unpacked", roots.POINT_RELEASE, roots.WITH_FIXES, "unpacked"),
        Pair("kernel", roots.POINT_RELEASE, roots.WITH_KERNEL),
        Pair("major", roots.POINT_RELEASE, roots.NEXT_MAJOR),
    )
}


def make_pair(pair: Pair, say: Callable[[str], None] = print) -> Images:
    """Both images of a pair, from the cache when they are there.

    Raises:
        ToolError: When they cannot be made.
    """
    old, new = make_root(pair.old, say), make_root(pair.new, say)
    before, after = packages_of(old), packages_of(new)
    differing = sum(1 for name, version in after.items() if before.get(name) != version)
    old_image, new_image = (_make_image(root, pair.boot, say) for root in (old, new))
    return Images(pair, old_image, new_image, len(after), differing)


def _make_image(root: Path, boot: str, say: Callable[[str], None]) -> Path:
    name = key(root.name, boot, _UUID, EPOCH, _BOOT_FILES)
    image = CACHE / f"{root.name.removeprefix('root-').rpartition('-')[0]}-{boot}-{name}.erofs"
    if not image.exists():
        say(f"making the image {image.name}")
        half = image.with_suffix(".half")
        options = [f"--exclude-regex={_BOOT_FILES}"] if boot == "outside" else []
        with _tree(root, boot) as tree:
            command = ["mkfs.erofs", "--quiet", f"-T{EPOCH}", f"-U{_UUID}", *options]
            run_tool([*command, half, tree], CACHE / "images.log")
        half.rename(image)
    return image


@contextmanager
def _tree(root: Path, boot: str) -> Iterator[Path]:
    """The files of an image; other than the root's own when its initrd shall be unpacked."""
    if boot != "unpacked":
        yield root
        return
    tree = CACHE / f"{root.name}.unpacked"
    shutil.rmtree(tree, ignore_errors=True)
    try:
        run_tool(["cp", "-al", root, tree], CACHE / "images.log")
        for initrd in (tree / "boot").glob("initrd.img-*"):
            unpacked = unpack(initrd.read_bytes())
            initrd.unlink()
            initrd.write_bytes(unpacked)
        yield tree
    finally:
        shutil.rmtree(tree, ignore_errors=True)


def unpack(initrd: bytes) -> bytes:
    """What an initrd of one compressed archive unpacks to."""
    for magic, program in _UNPACK.items():
        if initrd.startswith(magic):
            done = subprocess.run(
                [program, "-dcq"], input=initrd, capture_output=True, check=True, timeout=120
            )
            return done.stdout
    raise ValueError(f"the initrd begins with {initrd[:8].hex()}, which is no compression")


def main() -> int:
    """Make all pairs, and say where they lie."""
    told = {}
    for name in sys.argv[1:] or PAIRS:
        images = make_pair(PAIRS[name])
        told[name] = {
            "old": str(images.old),
            "new": str(images.new),
            "packages": images.packages,
            "differing": images.differing,
        }
    print(json.dumps(told, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
