# SPDX-License-Identifier: Apache-2.0
"""Recipe: the reference node image, in any version and variant.

`build(spec)` gives the root image (erofs) and the boot files that a release carries. Equal specs
on an equal base and deb give equal bytes.
"""

from __future__ import annotations

import gzip
import io
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from tests.demo.layout import key
from tests.demo.tool import run_tool
from tests.vm.image.cpio import archive
from tests.vm.image.faults import initrd_files, root_files
from tests.vm.image.layout import CACHE, LOG, PARTS, filling_cache
from tests.vm.image.roots import BASE, BUILT_AT_S, make_root
from tests.vm.image.tree import PROFILE, make_tree
from tests.vm.image.variants import VARIANTS, Variant

_NAMESPACE = uuid.UUID("3f1d0b52-8a37-4b6e-9c8e-5a3b1f6f7d01")
_COMPRESSION = "lz4"  # packs in a second, and costs a slow machine next to nothing to read


@dataclass(frozen=True, slots=True)
class Spec:
    """What an image is made from.

    Attributes:
        version: IMAGE_VERSION, and the release's version.
        variant: A name of `VARIANTS`.
        deb: The package puad; None for a node without it.
        trust_root: The root metadata of the release service; None for a node without it.
        settings: TOML of the image's own settings, for /usr/lib/puad/config.d.
        loader: The back end of boot control, `systemd-boot` or `grub`.
    """

    version: str
    variant: str = "good"
    deb: Path | None = None
    trust_root: Path | None = None
    settings: str = ""
    loader: str = "systemd-boot"


@dataclass(frozen=True, slots=True)
class NodeImage:
    """A built image.

    Attributes:
        version: The promised version.
        variant: Its variant.
        loader: The back end of boot control that it is made for.
        root: The root file system, erofs; what a slot holds.
        linux: The kernel.
        initrd: The initial RAM disk.
        tree: The folder that the root was made from, without version and variant.
    """

    version: str
    variant: Variant
    loader: str
    root: Path
    linux: Path
    initrd: Path
    tree: Path


def build(spec: Spec) -> NodeImage:
    """The image, from the cache where it is there."""
    variant = VARIANTS[spec.variant]
    with filling_cache():
        base, tree = make_root(BASE), make_tree(spec.deb)
        (linux,) = (base / "boot").glob("vmlinuz-*")
        (initrd,) = (base / "boot").glob("initrd.img-*")
        if more := initrd_files(variant):
            initrd = _initrd(initrd, variant, more)
        return NodeImage(
            spec.version, variant, spec.loader, _root(spec, variant, tree), linux, initrd, tree
        )


def _initrd(base: Path, variant: Variant, files: dict[str, str]) -> Path:
    """The kernel unpacks one archive after the other: what comes later takes its place."""
    more = gzip.compress(archive(files), mtime=0)
    made = CACHE / f"initrd-{variant.name}-{key(base.parent.parent.name, more)}"
    if not made.exists():
        half = made.with_suffix(".half")
        data = base.read_bytes()
        half.write_bytes(data + bytes(-len(data) % 4) + more)
        half.rename(made)
    return made


def _root(spec: Spec, variant: Variant, tree: Path) -> Path:
    files = _overlay(spec, variant)
    name = key(tree.name, files, _COMPRESSION, BUILT_AT_S)
    made = CACHE / f"root-{spec.version}-{variant.name}-{name}.erofs"
    if not made.exists():
        work = CACHE / "work"
        shutil.rmtree(work, ignore_errors=True)
        # Hard links: files of the tree are replaced in the work tree, never written.
        run_tool(["cp", "-al", tree, work], LOG)
        for path, text in files.items():
            _put(work / path, text)
        half = made.with_suffix(".half")
        half.unlink(missing_ok=True)
        stamp = [f"-T{BUILT_AT_S}", f"-U{uuid.uuid5(_NAMESPACE, made.name)}"]
        run_tool(["mkfs.erofs", f"-z{_COMPRESSION}", *stamp, "--quiet", half, work], LOG)
        half.rename(made)
        shutil.rmtree(work)
    return made


def _overlay(spec: Spec, variant: Variant) -> dict[str, str]:
    """Every file that this image has beside the tree's."""
    files = {"usr/lib/os-release": _os_release(spec, variant)}
    if spec.deb:
        loader = PARTS / f"bootloader-{spec.loader}.toml"
        files["usr/lib/puad/bootloader.toml"] = loader.read_text(encoding="utf-8")
    if spec.settings:
        files["usr/lib/puad/config.d/10-node.toml"] = spec.settings
    if spec.trust_root:
        files["usr/lib/puad/root.json"] = spec.trust_root.read_text(encoding="utf-8")
    return files | root_files(variant)


def _os_release(spec: Spec, variant: Variant) -> str:
    given = (make_root(BASE) / "usr/lib/os-release").read_text(encoding="utf-8")
    out = io.StringIO(given)
    lines = [line.rstrip("\n") for line in out if not line.startswith("IMAGE_")]
    lines.append(f"IMAGE_ID={variant.stamped_profile or PROFILE}")
    lines.append(f"IMAGE_VERSION={variant.stamped_version or spec.version}")
    lines.append(f"VARIANT_ID={variant.name}")
    return "".join(f"{line}\n" for line in lines)


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if text.startswith("->"):
        path.symlink_to(text.removeprefix("->"))
        return
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755 if text.startswith("#!") else 0o644)
