# SPDX-License-Identifier: Apache-2.0
"""Upstream's own kinds of image: compressed files and whole disks, from `add` to a node's view."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from orchestrator_stub.release.answers import answer_text
from puad.core.chunks import CHUNK_BYTES, ChunkIndex, parse_index
from puad.core.manifest import Manifest, parse_manifest
from puad.core.profile import parse_profile
from tests.integration.release.conftest import BUILT_AT, Client, Site
from tests.unit.release.disk_image.made_disk import (
    ESP,
    ESP_ID,
    LINUX,
    ROOT_ID,
    Part,
    make_disk,
    make_uki,
    upstream_disk,
)

WORDS = ("--profile", "edge", "--version", "3.0", "--level", "1", "--built-at", BUILT_AT)
OTHER_ID = "77777777-8888-4999-8aaa-bbbbbbbbbbbb"
COMPRESS = {"raw.gz": ["gzip", "-1nc"], "raw.xz": ["xz", "-0c"]}
PACKED_BYTES = gzip.compress(b"x" * 5000, mtime=0)
PACKED = pytest.mark.parametrize("packed", sorted(COMPRESS))


@pytest.fixture(scope="module")
def erofs(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A real root file system, one block larger than its content needs."""
    folder = tmp_path_factory.mktemp("root")
    (folder / "tree").mkdir()
    for number in range(3):
        (folder / f"tree/file{number}").write_bytes(os.urandom(700_000))
    image = folder / "root.erofs"
    command: list[str | Path] = ["mkfs.erofs", "-T1", "-U", ROOT_ID, image, folder / "tree"]
    subprocess.run(command, check=True, capture_output=True)
    return image.read_bytes() + bytes(4096)


def compress(path: Path, packed: str) -> Path:
    target = path.with_name(f"{path.name}.{packed}")
    made = subprocess.run([*COMPRESS[packed], path], capture_output=True, check=True).stdout
    target.write_bytes(made)
    return target


def published(site: Site, ending: str) -> tuple[Client, bytes, Manifest, ChunkIndex]:
    """What a node sees of the release: its file, manifest and index, verified."""
    site.run("publish")
    client = site.client()
    path = f"edge/3.0/edge-3.0.{ending}"
    file = client.fetch(site.repo, path)
    manifest = parse_manifest(client.targets(site.repo)[path].custom)
    assert manifest.index == f"{path}.idx"
    index = parse_index(
        client.fetch(site.repo, manifest.index),
        image_size=manifest.unpacked_size,
        file_size=len(file),
    )
    profile = parse_profile(yaml.safe_load(client.fetch(site.repo, "edge/3.0/profile.yaml")))
    assert profile.image_url == path
    assert profile.file_hash == hashlib.sha256(file).hexdigest()
    assert manifest.format == ending
    return client, file, manifest, index


def check_content(whole: bytes, manifest: Manifest, index: ChunkIndex, root: bytes) -> None:
    """The chunks are those of the whole, end where the root image does, and that one is right."""
    for chunk in index.chunks:
        data = whole[chunk.image_offset : chunk.image_offset + chunk.image_length]
        assert chunk.image_length <= CHUNK_BYTES
        assert hashlib.sha256(data).digest() == chunk.sha256
    start = manifest.disk.root.offset if manifest.disk else 0
    assert whole[start : start + manifest.image_size] == root
    assert manifest.image_hash == hashlib.sha256(root).hexdigest()
    borders = {chunk.image_offset for chunk in index.chunks} | {len(whole)}
    assert {start, start + len(root)} <= borders


@PACKED
@pytest.mark.parametrize("sector", [512, 4096])
def test_add_upstream_disk_keeps_its_bytes_and_says_what_lies_where(
    site: Site, erofs: bytes, packed: str, sector: int
) -> None:
    uki = make_uki()
    disk = upstream_disk(site.folder, uki=uki, root=erofs, sector=sector)
    image = compress(disk, packed)
    answer = site.run("add", image, *WORDS)
    assert answer["warnings"] == []
    assert "whole disk" in answer_text("add", answer)
    _, file, manifest, index = published(site, packed)
    assert file == image.read_bytes()
    assert not index.framed
    check_content(disk.read_bytes(), manifest, index, erofs)
    [boot] = manifest.boot_files
    data = b"".join(disk.read_bytes()[e.offset : e.end] for e in boot.extents)
    assert (data, boot.path, boot.sha256) == (uki, "", hashlib.sha256(uki).hexdigest())
    assert manifest.root_partuuid == ROOT_ID
    assert answer["release"]["disk"] == {"size": disk.stat().st_size, "root_offset": 3 << 20}


@pytest.mark.parametrize("given", ["raw", *sorted(COMPRESS)])
@pytest.mark.parametrize("asked", ["raw", "raw.zst"])
def test_add_disk_in_frames_is_the_same_disk(
    site: Site, erofs: bytes, given: str, asked: str
) -> None:
    disk = upstream_disk(site.folder, uki=make_uki(), root=erofs)
    image = disk if given == "raw" else compress(disk, given)
    site.run("add", image, *WORDS, "--format", asked)
    _, file, manifest, index = published(site, asked)
    command = ["zstd", "-dc"] if asked == "raw.zst" else ["cat"]
    whole = subprocess.run(command, input=file, capture_output=True, check=True).stdout
    assert whole == disk.read_bytes()
    assert index.framed
    check_content(whole, manifest, index, erofs)


@PACKED
def test_add_compressed_root_image_keeps_its_bytes(site: Site, packed: str) -> None:
    image = site.image(size=2 * CHUNK_BYTES + 77)
    file_given = compress(image, packed)
    assert site.run("add", file_given, *WORDS)["release"]["disk"] is None
    _, file, manifest, index = published(site, packed)
    assert file == file_given.read_bytes()
    assert not index.framed
    check_content(image.read_bytes(), manifest, index, image.read_bytes())


def test_add_plain_images_default_to_frames(site: Site, erofs: bytes) -> None:
    disk = upstream_disk(site.folder, uki=make_uki(), root=erofs)
    assert site.run("add", disk, *WORDS)["release"]["format"] == "raw.zst"


@PACKED
def test_add_format_that_only_others_make_is_refused(site: Site, packed: str) -> None:
    image = site.image()
    other = compress(image, "raw.gz" if packed == "raw.xz" else "raw.xz")
    for path in (image, other):
        error = site.run("add", path, *WORDS, "--format", packed, expect=64)["error"]
        assert error["on"] == "--format"
        assert "raw.zst" in error["hint"]


@pytest.mark.parametrize("was_published", [False, True])
@pytest.mark.parametrize("ending", ["raw", "raw.gz", "raw.zst"])
def test_add_same_disk_again_is_nothing_to_do_and_another_esp_is_another_release(
    site: Site, erofs: bytes, ending: str, was_published: bool
) -> None:
    disk = upstream_disk(site.folder, uki=make_uki(), root=erofs)
    words = (*WORDS, "--format", ending)

    def given() -> Path:
        return compress(disk, "raw.gz") if ending == "raw.gz" else disk

    assert site.run("add", given(), *words)["changed"]
    if was_published:
        site.run("publish")
    assert not site.run("add", given(), *words, "--threads", "1")["changed"]
    with disk.open("r+b") as file:  # somewhere in the ESP, outside UKI and root image
        file.seek((3 << 20) - 512)
        file.write(b"changed")
    if was_published:
        error = site.run("add", given(), *words, expect=65)["error"]
        assert error["code"] == "already-published"
    else:
        assert site.run("add", given(), *words)["changed"]


def test_add_disk_whose_published_index_is_gone_is_refused(site: Site, erofs: bytes) -> None:
    disk = upstream_disk(site.folder, uki=make_uki(), root=erofs)
    site.run("add", disk, *WORDS)
    site.run("publish")
    [index] = (site.repo / "targets/edge/3.0").glob("*.idx")
    index.unlink()
    assert site.run("add", disk, *WORDS, expect=65)["error"]["code"] == "already-published"


@PACKED
def test_add_same_input_makes_the_same_files(
    make_site: Callable[[str], Site], erofs: bytes, packed: str, tmp_path: Path
) -> None:
    image = compress(upstream_disk(tmp_path, uki=make_uki(), root=erofs), packed)
    trees = []
    for name, threads in (("one", "1"), ("two", "5")):
        site = make_site(name)
        site.run("add", image, *WORDS, "--threads", threads)
        staged = site.repo / "unpublished/releases/edge/3.0"
        trees.append({path.name: path.read_bytes() for path in staged.iterdir()})
        assert list((site.repo / "unpublished/releases").glob(".*")) == []
    assert trees[0] == trees[1]
    assert set(trees[0]) == {
        *(f"edge-3.0.{packed}", f"edge-3.0.{packed}.idx", "profile.yaml", "release.json")
    }


def test_add_disk_with_a_choice_that_is_not_clear_says_what_is_there(
    site: Site, erofs: bytes
) -> None:
    parts = [
        Part("rootfs", LINUX, erofs, ROOT_ID),
        Part("persist", LINUX, bytes(1 << 20), OTHER_ID),
        Part("esp", ESP, bytes(1 << 20), ESP_ID),
    ]
    disk = make_disk(site.folder / "disk.raw", parts)
    uki = site.folder / "uki.efi"
    uki.write_bytes(make_uki())
    words = (*WORDS, "--uki", uki)
    error = site.run("add", disk, *words, expect=65)["error"]
    assert "1 rootfs (2 MiB), 2 persist (1 MiB), 3 esp (1 MiB)" in error["what"]
    assert (error["on"], "--root-partition" in error["hint"]) == (str(disk), True)
    answer = site.run("add", disk, *words, "--root-partition", "rootfs")
    assert answer["release"]["boot_files"] == ["uki"]
    _, _, manifest, _ = published(site, "raw.zst")
    assert [file.path for file in manifest.boot_files] == ["edge/3.0/edge-3.0.uki"]
    assert manifest.root_partuuid is None


def test_add_disk_whose_uki_wants_another_partition_warns(site: Site, erofs: bytes) -> None:
    uki = make_uki(f"root=PARTUUID={OTHER_ID}".encode())
    disk = upstream_disk(site.folder, uki=uki, root=erofs)
    answer = site.run("add", disk, *WORDS)
    assert answer["release"]["root_partuuid"] == OTHER_ID
    assert f"the root partition of this disk is {ROOT_ID}" in answer["warnings"][0]
    answer = site.run("add", disk, *WORDS, "--root-partuuid", ROOT_ID)
    assert answer["release"]["root_partuuid"] == ROOT_ID
    assert f"nodes get {ROOT_ID}" in answer["warnings"][0]


def test_add_of_content_that_no_node_could_mount_warns(site: Site) -> None:
    (site.folder / "noise").write_bytes(bytes(70_000))
    assert "no file system" in site.run("add", site.folder / "noise", *WORDS)["warnings"][1]


@pytest.mark.parametrize("option", ["--root-partition", "--uki-path"])
def test_add_root_image_with_something_said_of_a_disk_is_refused(site: Site, option: str) -> None:
    error = site.run("add", site.image(), *WORDS, option, "1", expect=64)["error"]
    assert error["on"] == option


def test_add_uki_given_and_named_on_the_disk_is_refused(site: Site) -> None:
    words = ("--uki", "/nowhere", "--uki-path", "EFI/Linux/a.efi")
    assert site.run("add", site.image(), *WORDS, *words, expect=64)["error"]["on"] == "--uki-path"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (PACKED_BYTES[:-1], "cut off"),
        (PACKED_BYTES + b"garbage", "damaged"),
        (gzip.compress(b"", mtime=0), "nothing"),
        (gzip.compress(PACKED_BYTES, mtime=0), "twice"),
        (gzip.compress(b"\x28\xb5\x2f\xfd" + bytes(99), mtime=0), "zstd"),
    ],
    ids=["cut off", "garbage", "empty", "twice", "zstd"],
)
def test_add_of_a_compressed_file_that_nodes_could_not_use_is_refused(
    site: Site, content: bytes, what: str
) -> None:
    (site.folder / "image").write_bytes(content)
    error = site.run("add", site.folder / "image", *WORDS, expect=65)["error"]
    assert what in error["what"]
    assert error["on"] == str(site.folder / "image")
    assert list((site.repo / "unpublished/releases").glob("*")) == []


def test_add_xz_with_a_large_dictionary_is_framed_instead(site: Site) -> None:
    image = site.image(size=20_000)
    large = site.folder / "large.xz"
    command: list[str | Path] = ["xz", "-c", "--lzma2=preset=0,dict=64MiB", image]
    large.write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
    error = site.run("add", large, *WORDS, expect=65)["error"]
    assert "--format raw.zst" in error["hint"]
    site.run("add", large, *WORDS, "--format", "raw.zst")
    _, file, _, _ = published(site, "raw.zst")
    made = subprocess.run(["zstd", "-dc"], input=file, capture_output=True, check=True).stdout
    assert made == image.read_bytes()
