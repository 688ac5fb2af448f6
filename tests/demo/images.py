# SPDX-License-Identifier: Apache-2.0
"""Image: one version of the demo's operating system, as an erofs file that a slot can hold.

A root, and laid over it the node's own part: the programs of this checkout, the version stamp, the
root of trust, the configuration and the health probes. The same parts give the same bytes.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.demo.layout import REPOSITORY, Layout, key, tree_key
from tests.demo.roots import Recipe, Root
from tests.demo.tool import run_tool

PROFILE = "edge-demo"
_PARTS = Path(__file__).parent / "image_parts"
_PROGRAMS = ("puad", "bootloader")
_BUILT_AT_S = 1_750_000_000
_NAMESPACE = uuid.UUID("8b0c1f5e-5d0a-4b8e-9d53-0a7c9a4f2a11")


@dataclass(frozen=True, slots=True)
class Image:
    """A version: its root, and the required health probes that it brings, (name, script) each."""

    version: str
    recipe: Recipe
    probes: tuple[tuple[str, str], ...] = ()


def build_images(
    layout: Layout,
    images: Sequence[Image],
    roots: Sequence[Root],
    trust_root: Path,
    say: Callable[[str], None],
) -> dict[str, Path]:
    """The image files by version, from the cache where nothing has changed."""
    programs = [REPOSITORY / name for name in (*_PROGRAMS, "systemd")]
    base = (tree_key(*programs, _PARTS, Path(__file__)), trust_root.read_bytes())
    files: dict[str, Path] = {}
    for root in roots:
        wanted = [image for image in images if image.recipe == root.recipe]
        for image in wanted:
            name = key(base, root.tree.parent.name, image.version, image.probes)
            files[image.version] = layout.cache / f"image-{image.version}-{name}.erofs"
        missing = [image for image in wanted if not files[image.version].exists()]
        if missing:
            say(f"building {', '.join(i.version for i in missing)} on the {root.recipe.name} root")
            _build(layout, root, {image: files[image.version] for image in missing}, trust_root)
    return files


def _build(layout: Layout, root: Root, wanted: Mapping[Image, Path], trust_root: Path) -> None:
    log = layout.logs / "images.log"
    tree = layout.cache / f"work-{root.recipe.name}"
    shutil.rmtree(tree, ignore_errors=True)
    # Hard links: files of the root are replaced in the work tree, never written.
    run_tool(["cp", "-al", root.tree, tree], log)
    _lay_programs(tree, trust_root)
    compiled = ["python3", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    run_tool(["chroot", tree, *compiled, "/usr/share/puad"], log)
    for image, file in wanted.items():
        _lay_version(tree, image)
        half = file.with_suffix(".half")
        half.unlink(missing_ok=True)
        name = uuid.uuid5(_NAMESPACE, file.name)
        run_tool(["mkfs.erofs", f"-T{_BUILT_AT_S}", f"-U{name}", "--quiet", half, tree], log)
        half.rename(file)
        for old in layout.cache.glob(f"image-{image.version}-*.erofs"):
            if old != file:
                old.unlink()
    shutil.rmtree(tree)


def _lay_programs(tree: Path, trust_root: Path) -> None:
    code = tree / "usr/share/puad"
    skip = shutil.ignore_patterns("__pycache__")
    for name in _PROGRAMS:
        shutil.copytree(REPOSITORY / name, code / name, ignore=skip)
    for policy in sorted((REPOSITORY / "systemd").glob("*.conf")):
        _put(tree / "usr/share/dbus-1/system.d" / policy.name, policy.read_bytes())
    own = tree / "usr/lib/puad"
    _put(own / "root.json", trust_root.read_bytes())
    _put(own / "config.d/10-demo.toml", (_PARTS / "10-demo.toml").read_bytes())
    _put(own / "bootloader.toml", (_PARTS / "bootloader.toml").read_bytes())
    _put(own / "simulated-init", (_PARTS / "simulated-init").read_bytes(), 0o755)


def _lay_version(tree: Path, image: Image) -> None:
    os_release = tree / "usr/lib/os-release"
    lines = os_release.read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if not line.startswith("IMAGE_")]
    lines += [f"IMAGE_ID={PROFILE}", f"IMAGE_VERSION={image.version}"]
    _put(os_release, ("\n".join(lines) + "\n").encode())
    probes = tree / "usr/lib/puad/probes.d"
    shutil.rmtree(probes, ignore_errors=True)
    (probes / "required").mkdir(parents=True)
    (probes / "wanted").mkdir()
    for name, script in image.probes:
        _put(probes / "required" / name, script.encode(), 0o755)


def _put(path: Path, data: bytes, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
