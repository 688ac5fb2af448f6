# SPDX-License-Identifier: Apache-2.0
"""The image of the install benchmark: 1 GiB of ext4 with a whole Debian 12 for bare metal."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from tests.bench.delta.roots import BARE_METAL, CACHE, EPOCH, make_root
from tests.bench.published import FULL_ONLY, Repository
from tests.demo.layout import key
from tests.demo.tool import run_tool

NEW: Final = "2.0"
SIZE_BYTES: Final = 1 << 30
_LEVEL: Final = 19
_UUID: Final = "7d0f64b8-1f0e-4e3a-8d54-0f2b5a4c9e02"
_OPTIONS: Final = ("-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0", "-O", "^has_journal")


def make_image() -> Path:
    """The image, from the cache when it is there."""
    root = make_root(BARE_METAL)
    image = CACHE / f"install-{key(root.name, SIZE_BYTES, _UUID, _OPTIONS)}.ext4"
    if not image.exists():
        print("making the image to install", flush=True)
        half = image.with_suffix(".half")
        half.unlink(missing_ok=True)
        same = ["-U", _UUID, "-E", f"hash_seed={_UUID},lazy_itable_init=0"]
        command = ["mke2fs", *_OPTIONS, *same, "-d", str(root), str(half), f"{SIZE_BYTES >> 10}k"]
        environment = {"E2FSPROGS_FAKE_TIME": str(EPOCH)}
        run_tool(command, CACHE / "images.log", timeout_s=600, env=environment)
        half.rename(image)
    return image


def published() -> Repository:
    """The image as `puad-release` publishes it; compressed once, and kept."""
    image = make_image()
    kept = CACHE / f"{image.stem}-{_LEVEL}.release"
    if not kept.exists():
        print(f"publishing the image at level {_LEVEL}", flush=True)
        half = kept.with_suffix(".half")
        shutil.rmtree(half, ignore_errors=True)
        Repository(half).add(image, NEW, _LEVEL, *FULL_ONLY)
        half.rename(kept)
    return Repository(kept)
