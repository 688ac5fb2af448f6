# SPDX-License-Identifier: Apache-2.0
"""Whole writes in processes of their own: killed and begun again, and measured."""

from __future__ import annotations

import hashlib
import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.download.conftest import Serve
from tests.integration.download.range_server import Asked, Fault, RangeServer, honest, truncated
from tests.integration.download.writer_process import describe, describe_delta
from tests.unit.images.published_image import Published, publish
from tests.unit.writer.published_delta import publish_delta

REPOSITORY = Path(__file__).resolve().parents[3]
MIB = 1 << 20
PATIENCE_S = 120
NAME = "image.raw.zst"


def start(job: dict[str, Any]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.integration.download.writer_process", json.dumps(job)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)


def finish(job: dict[str, Any]) -> dict[str, Any]:
    with start(job) as process:
        out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    answer: dict[str, Any] = json.loads(out)
    return answer


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def right_chunks(published: Published, slot: Path) -> set[int]:
    content = slot.read_bytes()
    return {
        number
        for number, chunk in enumerate(published.index.chunks)
        if hashlib.sha256(content[chunk.image_offset :][: chunk.image_length]).digest()
        == chunk.sha256
    }


def range_of(asked: Asked) -> tuple[int, int]:
    """The first and the last byte that were asked for."""
    assert asked.first is not None
    assert asked.last is not None
    return asked.first, asked.last


def stalling(server_of: list[RangeServer], keep: int) -> Fault:
    """Send the beginning of what was asked for, and then nothing any more."""

    def stall(connection: socket.socket, asked: Asked) -> None:
        truncated(keep)(connection, asked)
        server_of[0].wait(PATIENCE_S)

    return stall


@pytest.mark.parametrize("honest_answers", [0, 1, 4])
@pytest.mark.parametrize("journal_batch_bytes", [MIB, 64 * MIB])
def test_writer_killed_midway_fetches_no_verified_byte_again(
    serve: Serve, tmp_path: Path, honest_answers: int, journal_batch_bytes: int
) -> None:
    chunk_bytes = 65_536
    published = publish("raw.zst", random.Random(3).randbytes(48 * chunk_bytes + 99), chunk_bytes)
    slot = tmp_path / "slot"
    slot.write_bytes(b"\xee" * (4 * MIB))
    server_of: list[RangeServer] = []
    faults = [honest] * honest_answers + [stalling(server_of, 3 * chunk_bytes + 1000)]
    server_of.append(serve(*faults, for_ever=False, **{NAME: published.file}))
    server = server_of[0]
    limits = {"range_bytes": 5 * MIB // 8, "journal_batch_bytes": journal_batch_bytes}
    job = describe(published, f"{server.url}/{NAME}", slot, limits=limits)

    with start(job) as process:
        wait_for(lambda: len(server.asked) == honest_answers + 1)
        sent = range_of(server.asked[-1])[0] + 3 * chunk_bytes
        expected = {
            number
            for number, chunk in enumerate(published.index.chunks)
            if chunk.file_offset + chunk.file_length <= sent
        }
        wait_for(lambda: right_chunks(published, slot) >= expected)
        process.kill()
    verified = right_chunks(published, slot)
    assert 3 <= len(verified) < 49
    before = len(server.asked)
    result = finish(job)
    assert slot.read_bytes()[: len(published.image)] == published.image
    again = server.asked[before:]
    ranges = [range_of(asked) for asked in again]
    for number in verified:
        chunk = published.index.chunks[number]
        last = chunk.file_offset + chunk.file_length - 1
        assert all(end < chunk.file_offset or begin > last for begin, end in ranges)
    missing = sum(
        chunk.file_length
        for number, chunk in enumerate(published.index.chunks)
        if number not in verified
    )
    assert result["bytes_fetched"] == missing == sum(len(asked.body) for asked in again)


@pytest.mark.parametrize("indexed", [True, False])
def test_writer_needs_the_same_memory_for_any_image(
    serve: Serve, tmp_path: Path, *, indexed: bool
) -> None:
    noise = random.Random(4)
    growth = []
    for size in (16 * MIB, 256 * MIB):
        image = b"".join(noise.randbytes(65_536) + bytes(MIB - 65_536) for _ in range(size // MIB))
        published = publish("raw.zst", image)
        del image
        slot = tmp_path / f"slot-{size}"
        with slot.open("wb") as file:
            file.truncate(size)
        server = serve(for_ever=False, **{NAME: published.file})
        options = {} if indexed else {"index": ""}
        result = finish(describe(published, f"{server.url}/{NAME}", slot, **options))
        assert result["bytes_written"] == size
        growth.append(result["peak_kib"] - result["idle_kib"])
    assert max(growth) <= 32 * 1024
    assert growth[1] - growth[0] <= 8 * 1024


@pytest.mark.parametrize("reach", [MIB, 7 * MIB // 2], ids=["3 MiB", "8 MiB"])
def test_writer_by_delta_needs_little_memory(serve: Serve, tmp_path: Path, reach: int) -> None:
    noise = random.Random(5)
    old = noise.randbytes(24 * MIB)
    new = bytearray(old)
    for start in range(0, len(new), MIB):  # every chunk is another one
        new[start + 100 : start + MIB] = b"new!" + old[start + 100 : start + MIB - 4]
    published = publish("raw.zst", bytes(new))
    delta = publish_delta(published, old, reach=reach)
    slot = tmp_path / "slot"
    slot.write_bytes(bytes(len(new)))
    server = serve(for_ever=False, **{NAME: published.file, "delta": delta.file})
    described = describe_delta(delta, f"{server.url}/delta", tmp_path / "active")
    result = finish(describe(published, f"{server.url}/{NAME}", slot, delta=described))
    assert slot.read_bytes() == new
    assert (result["bytes_fetched"], result["fallen_back"]) == (len(delta.file), 0)
    assert result["peak_kib"] - result["idle_kib"] <= 40 * 1024
