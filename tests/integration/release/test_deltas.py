# SPDX-License-Identifier: Apache-2.0
"""Deltas of real releases: made by the program, published, and read back as a node would."""

from __future__ import annotations

import hashlib
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from orchestrator_stub.release.answers import answer_text
from puad.core.chunks import parse_index
from puad.core.delta import parse_delta_index
from puad.core.manifest import Manifest, parse_manifest
from tests.integration.release.conftest import BUILT_AT, Client, Site

MIB = 1 << 20


def image_of(version: int) -> bytes:
    """An image that shares most files with the version before it, at other places."""
    files = [random.Random(number).randbytes(100_000) for number in range(version, version + 25)]
    return b"".join(files) + f"IMAGE_VERSION={version}".encode()


def add(site: Site, version: int, *words: str | Path, content: bytes | None = None) -> Any:
    image = site.folder / f"{version}.img"
    image.write_bytes(image_of(version) if content is None else content)
    return site.run(
        *("add", image, "--profile", "edge", "--version", f"{version}", "--level", "1"),
        *("--built-at", BUILT_AT, *words),
    )


def release(site: Site, version: int, *words: str | Path) -> Any:
    answer = add(site, version, *words)
    site.run("publish")
    return answer


def manifest_of(client: Client, repository: Path, version: int, kind: str = "raw.zst") -> Manifest:
    path = f"edge/{version}/edge-{version}.{kind}"
    return parse_manifest(client.targets(repository)[path].custom)


def rebuild(site: Site, client: Client, manifest: Manifest, number: int, old: bytes) -> bytes:
    """The image, from one of its deltas, the old image, and the full file for the rest."""
    delta = manifest.deltas[number]
    assert manifest.index is not None
    assert hashlib.sha256(old).hexdigest() == delta.from_hash
    full = client.fetch(site.repo, manifest.index.removesuffix(".idx"))
    chunks = parse_index(
        client.fetch(site.repo, manifest.index),
        image_size=manifest.image_size,
        file_size=len(full),
    ).chunks
    data = client.fetch(site.repo, delta.path)
    rows = parse_delta_index(
        client.fetch(site.repo, delta.index), chunks=chunks, file_size=len(data)
    )
    assert rows.base_size == len(old)
    pieces = []
    for chunk, row in zip(chunks, rows.chunks, strict=True):
        words = b"".join(old[run.offset : run.end] for run in (row.windows if row else ()))
        frame = full[chunk.file_offset : chunk.file_offset + chunk.file_length]
        if row is not None and row.frame is not None:
            frame = data[row.frame.offset : row.frame.end]
            known = zstandard.ZstdCompressionDict(words, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
            piece = zstandard.ZstdDecompressor(dict_data=known).decompress(frame)
        elif row is not None:
            piece = words
        else:
            piece = zstandard.ZstdDecompressor().decompress(frame)
        assert hashlib.sha256(piece).digest() == chunk.sha256
        pieces.append(piece)
    return b"".join(pieces)


def test_add_first_release_has_no_delta(site: Site) -> None:
    answer = release(site, 1)
    assert answer["release"]["deltas"] == []
    assert "from" not in answer_text("add", answer)
    assert manifest_of(site.client(), site.repo, 1).deltas == ()


@pytest.mark.parametrize("kinds", [("raw.zst", "raw.zst"), ("raw", "raw"), ("raw", "raw.zst")])
def test_add_next_release_has_a_delta_that_makes_it(site: Site, kinds: tuple[str, str]) -> None:
    release(site, 1, "--format", kinds[0])
    answer = release(site, 2, "--format", kinds[1])
    client = site.client()
    manifest = manifest_of(client, site.repo, 2, kinds[1])
    [delta] = manifest.deltas
    assert delta.path == f"edge/2/edge-2.from-{delta.from_hash[:16]}.dzst"
    assert delta.index == f"{delta.path}.idx"
    assert delta.from_version == "1"
    assert rebuild(site, client, manifest, 0, image_of(1)) == image_of(2)
    [told] = answer["release"]["deltas"]
    assert told["from_version"] == "1"
    assert told["size"] == sum(
        len(client.fetch(site.repo, path)) for path in (delta.path, delta.index)
    )
    assert told["size"] < answer["release"]["file_size"] / 10
    assert "\n  delta from 1: " in answer_text("add", answer)


def test_add_deltas_come_from_the_last_versions_before_it_newest_first(site: Site) -> None:
    for version in (9, 10, 8, 11, 14):
        add(site, version, "--deltas", "0")
    other = site.image(size=20_000)
    site.run("add", other, "--profile", "kiosk", "--version", "12", "--level", "1")
    site.run("publish")
    add(site, 12)
    assert [one["from_version"] for one in add(site, 13)["release"]["deltas"]] == ["11", "10", "9"]
    answer = add(site, 13, "--deltas", "1", content=image_of(13) + b"!")
    assert [one["from_version"] for one in answer["release"]["deltas"]] == ["11"]


def test_add_deltas_none_are_made_when_none_are_wanted(site: Site) -> None:
    release(site, 1)
    assert release(site, 2, "--deltas", "0")["release"]["deltas"] == []
    assert not list(site.repo.rglob("*.dzst*"))


def test_add_older_deltas_stay_as_they_were_published(site: Site) -> None:
    release(site, 1)
    release(site, 2)
    before = manifest_of(site.client("before"), site.repo, 2)
    release(site, 3, "--deltas", "1")
    client = site.client("after")
    assert manifest_of(client, site.repo, 2) == before
    assert rebuild(site, client, before, 0, image_of(1)) == image_of(2)


def test_add_withdrawn_version_is_no_base(site: Site) -> None:
    release(site, 1)
    release(site, 2)
    site.run("withdraw", "2", "--reason", "x")
    answer = add(site, 3)
    assert [one["from_version"] for one in answer["release"]["deltas"]] == ["1"]


def test_withdraw_with_delete_removes_the_deltas_as_well(site: Site) -> None:
    release(site, 1)
    release(site, 2)
    assert list(site.repo.rglob("*.dzst*"))
    site.run("withdraw", "2", "--reason", "x", "--delete")
    assert not list(site.repo.rglob("*.dzst*"))
    assert not any(".dzst" in path for path in site.client().targets(site.repo))


@pytest.mark.parametrize("damage", ["gone", "changed", "cut"])
def test_add_base_that_does_not_verify_is_left_out_with_a_warning(site: Site, damage: str) -> None:
    release(site, 1)
    release(site, 2)
    [file] = (site.repo / "targets/edge/2").glob("*.raw.zst")
    data = file.read_bytes()
    file.unlink()
    if damage != "gone":
        file.write_bytes(data[:-5000] if damage == "cut" else data[:5000] + b"x" + data[5001:])
    answer = add(site, 3)
    assert [one["from_version"] for one in answer["release"]["deltas"]] == ["1"]
    assert "there is no delta from edge 2, whose image " in answer["warnings"][-1]
    assert "WARNING: there is no delta from edge 2" in answer_text("add", answer)
    staged = site.repo / "unpublished/releases/edge/3"
    assert len(list(staged.glob("*.dzst*"))) == 2


def test_add_delta_that_saves_next_to_nothing_is_left_out(site: Site) -> None:
    release(site, 1)
    answer = add(site, 2, content=random.Random(99).randbytes(2 * MIB) + image_of(1)[:100_000])
    assert answer["release"]["deltas"] == []
    assert [warning for warning in answer["warnings"] if "delta" in warning] == []
    assert not list((site.repo / "unpublished/releases/edge/2").glob("*.dzst*"))


@pytest.mark.parametrize("published", [False, True])
def test_add_same_bytes_again_is_nothing_to_do_whatever_its_deltas(
    site: Site, published: bool
) -> None:
    release(site, 1)
    first = add(site, 2)
    if published:
        site.run("publish")
    for words in ([], ["--deltas", "0"]):
        again = add(site, 2, *words)
        assert again["changed"] is False
        assert again["release"] == first["release"]
    if published:
        error = site.run(
            *("add", site.folder / "1.img", "--profile", "edge", "--version", "2"), expect=65
        )["error"]
        assert error["on"] == "edge/2/edge-2.raw.zst"


def test_add_image_of_the_version_before_shares_its_delta_with_one_like_it(site: Site) -> None:
    for version in (1, 2):
        add(site, version, content=image_of(1))
        site.run("publish")
    client = site.client()
    assert [one.from_version for one in manifest_of(client, site.repo, 2).deltas] == ["1"]
    assert rebuild(site, client, manifest_of(client, site.repo, 2), 0, image_of(1)) == image_of(1)
    release(site, 3)
    first, second = manifest_of(client, site.repo, 3).deltas
    assert (first.from_version, second.from_version) == ("2", "1")
    assert (first.path, first.index) == (second.path, second.index)
    assert rebuild(site, client, manifest_of(client, site.repo, 3), 1, image_of(1)) == image_of(3)


def test_add_same_input_makes_the_same_deltas_whatever_the_threads(
    make_site: Callable[[str], Site],
) -> None:
    trees = []
    for name, threads in (("one", "1"), ("two", "5")):
        site = make_site(name)
        for version in (1, 2):
            release(site, version, "--threads", threads)
        files = (site.repo / "targets/edge/2").iterdir()
        trees.append({path.name: path.read_bytes() for path in files})
    assert sorted(trees[0]) == sorted(trees[1])
    assert trees[0] == trees[1]
    assert sum(".dzst" in name for name in trees[0]) == 2


def test_export_has_no_deltas_and_names_none(site: Site, tmp_path: Path) -> None:
    release(site, 1)
    release(site, 2)
    answer = site.run("export", tmp_path / "stick", "--version", "2")
    assert answer["release"]["deltas"] == []
    client = site.client()
    assert not any(".dzst" in path for path in client.fetch_all(tmp_path / "stick"))
    assert manifest_of(client, tmp_path / "stick", 2).deltas == ()
    file = client.fetch(tmp_path / "stick", "edge/2/edge-2.raw.zst")
    made = subprocess.run(["zstd", "-dc"], input=file, capture_output=True, check=True).stdout
    assert made == image_of(2)
    assert len(manifest_of(site.client("online"), site.repo, 2).deltas) == 1
