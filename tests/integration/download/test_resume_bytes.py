# SPDX-License-Identifier: Apache-2.0
"""What interruptions cost: at most 2 % more bytes than the server would send without them.

Sizes are those of the requirement, all of them divided by 16: chunks of 64 KiB in place of 1 MiB,
cuts every 64 KiB, restarts every 4 MiB.
"""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from puad.core.chunks import ChunkIndex
from tests.integration.download.conftest import Serve
from tests.integration.download.range_server import Asked, send_head, truncated
from tests.integration.download.test_writer_process import REPOSITORY, finish, wait_for
from tests.integration.download.writer_process import describe, describe_delta
from tests.unit.images.published_image import publish
from tests.unit.writer.published_delta import publish_delta

KIB = 1 << 10
MIB = 1 << 20
CHUNK = 64 * KIB
COUNT = 200
RESTART_BYTES = 4 * MIB
QUICK = {"backoff_first_s": 0.01, "backoff_most_s": 0.02}

OLD = random.Random(6).randbytes(COUNT * CHUNK)


def new_image() -> bytes:
    """Each chunk has something of the old one and something that nobody has."""
    noise = random.Random(7)
    image = bytearray(OLD)
    for number in range(COUNT):
        start = number * CHUNK
        image[start + 100 : start + CHUNK - 500 * (number % 8)] = noise.randbytes(
            CHUNK - 100 - 500 * (number % 8)
        )
    return bytes(image)


PUBLISHED = publish("raw.zst", new_image(), CHUNK)
DELTA = publish_delta(PUBLISHED, OLD, lacks=frozenset(range(0, COUNT, 9)))
COST = sum(
    made.frame.length if made and made.frame else chunk.file_length
    for made, chunk in zip(DELTA.index.chunks, PUBLISHED.index.chunks, strict=True)
)


@dataclass
class Meter:
    """Answers honestly and counts, until so many bytes have been sent; then nothing comes."""

    left: int
    wait: Callable[[float], None] = lambda _: None
    sent: int = 0
    ranges: list[tuple[str, int, int]] = field(default_factory=list)
    dry: threading.Event = field(default_factory=threading.Event)

    def __call__(self, connection: socket.socket, asked: Asked) -> None:
        assert asked.first is not None
        body = asked.body[: self.left]
        send_head(
            connection,
            "206 Partial Content",
            f"Content-Length: {len(asked.body)}",
            f"Content-Range: {asked.content_range}",
            "Connection: close",
        )
        connection.sendall(body)
        self.sent += len(body)
        self.left -= len(body)
        self.ranges.append((asked.path, asked.first, asked.first + len(body)))
        if len(body) < len(asked.body):
            self.dry.set()
            self.wait(120)

    def whole_chunks(self, index: ChunkIndex) -> set[int]:
        """The chunks whose frames have been sent whole, of either file."""
        numbers = set()
        for number, chunk in enumerate(index.chunks):
            made = DELTA.index.chunks[number]
            places = {"/image": (chunk.file_offset, chunk.file_offset + chunk.file_length)}
            if made and made.frame:
                places["/delta"] = (made.frame.offset, made.frame.end)
            if any(
                path in places and first <= places[path][0] and places[path][1] <= end
                for path, first, end in self.ranges
            ):
                numbers.add(number)
        return numbers


def job_of(url: str, tmp_path: Path, *, by_delta: bool) -> dict[str, Any]:
    slot = tmp_path / "slot"
    if not slot.exists():
        slot.write_bytes(b"\xee" * (COUNT * CHUNK))
    delta = describe_delta(DELTA, f"{url}/delta", tmp_path / "active") if by_delta else None
    return describe(PUBLISHED, f"{url}/image", slot, delta=delta, limits=QUICK)


@pytest.mark.parametrize("by_delta", [False, True])
def test_cuts_cost_few_bytes(serve: Serve, tmp_path: Path, *, by_delta: bool) -> None:
    server = serve(truncated(CHUNK), for_ever=True, image=PUBLISHED.file, delta=DELTA.file)
    result = finish(job_of(server.url, tmp_path, by_delta=by_delta))
    assert (tmp_path / "slot").read_bytes() == PUBLISHED.image
    sent = sum(min(CHUNK, len(asked.body)) for asked in server.asked)
    cost = COST if by_delta else len(PUBLISHED.file)
    assert len(server.asked) > cost / CHUNK - 1
    assert result["bytes_fetched"] == cost
    assert sent <= cost * 1.02


@pytest.mark.parametrize("by_delta", [False, True])
def test_kills_cost_few_bytes(serve: Serve, tmp_path: Path, *, by_delta: bool) -> None:
    meter = Meter(RESTART_BYTES)
    server = serve(meter, for_ever=True, image=PUBLISHED.file, delta=DELTA.file)
    meter.wait = server.wait
    job = job_of(server.url, tmp_path, by_delta=by_delta)
    command = [sys.executable, "-m", "tests.integration.download.writer_process", json.dumps(job)]
    kills = 0
    while True:
        with subprocess.Popen(
            command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
        ) as process:
            wait_for(lambda: meter.dry.is_set() or process.poll() is not None)
            if process.poll() is not None:
                break
            whole = meter.whole_chunks(PUBLISHED.index)
            wait_for(partial(all_lie_right, tmp_path / "slot", whole))
            process.kill()
        kills += 1
        meter.left = RESTART_BYTES
        meter.dry.clear()
    assert process.returncode == 0
    assert (tmp_path / "slot").read_bytes() == PUBLISHED.image
    cost = COST if by_delta else len(PUBLISHED.file)
    assert kills >= 2
    assert meter.sent <= cost * 1.02


def all_lie_right(slot: Path, numbers: set[int]) -> bool:
    with slot.open("rb") as file:
        for number in numbers:
            chunk = PUBLISHED.index.chunks[number]
            file.seek(chunk.image_offset)
            there = file.read(chunk.image_length)
            if there != PUBLISHED.image[chunk.image_offset :][: chunk.image_length]:
                return False
    return True
