# SPDX-License-Identifier: Apache-2.0
"""A process that writes one image, to be killed; prints what it did as JSON.

Usage: python -m tests.integration.download.writer_process JOB
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from puad.client.transport import make_session
from puad.config import Limits
from puad.core.chunks import parse_index
from puad.core.delta import parse_delta_index
from puad.core.manifest import parse_manifest
from puad.download.http_source import HttpSource
from puad.download.release import Release
from puad.writer import ChunkJournal, DeltaFile, Deltas, write_image
from tests.unit.images.published_image import Published
from tests.unit.writer.published_delta import PublishedDelta


def describe(published: Published, url: str, slot: Path, **options: Any) -> dict[str, Any]:
    """What the process needs to know."""
    release = published.release
    return {
        "url": url,
        "slot": str(slot),
        "journal": f"{slot}.journal",
        "path": release.path,
        "file_size": release.file_size,
        "file_hash": release.file_hash,
        "custom": release.manifest.dump(),
        "index": published.index.dump().decode(),
        "limits": {},
        "delta": None,
    } | options


def describe_delta(delta: PublishedDelta, url: str, active: Path) -> dict[str, Any]:
    """What the process needs to know of a delta."""
    active.write_bytes(delta.old)
    return {
        "url": url,
        "active": str(active),
        "size": len(delta.file),
        "index": delta.index.dump().decode(),
    }


def peak_kib() -> int:
    """The most memory that this process ever held."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) if found else 0


def main(job: dict[str, Any]) -> dict[str, Any]:
    limits = Limits(**job["limits"])
    release = Release(
        job["path"], job["file_size"], job["file_hash"], parse_manifest(job["custom"])
    )
    index = None
    if job["index"]:
        image_size = release.manifest.image_size
        index = parse_index(
            job["index"].encode(), image_size=image_size, file_size=release.file_size
        )
    fd = os.open(job["slot"], os.O_RDWR)
    with make_session("1.3") as session:
        source = HttpSource(session, job["url"], release.file_size, limits)
        deltas = None
        if job["delta"] and index:
            row = job["delta"]
            made = parse_delta_index(
                row["index"].encode(), chunks=index.chunks, file_size=row["size"]
            )
            delta = DeltaFile("13.0", made, HttpSource(session, row["url"], row["size"], limits))
            deltas = Deltas(os.open(row["active"], os.O_RDONLY), lambda: iter([delta]))
        idle_kib = peak_kib()
        result = write_image(
            fd=fd,
            slot_bytes=os.fstat(fd).st_size,
            release=release,
            index=index,
            source=source,
            journal=ChunkJournal(Path(job["journal"]), release.file_hash),
            cancelled=lambda: False,
            progress=lambda _done, _total: None,
            limits=limits,
            deltas=deltas,
        )
    os.close(fd)
    return {
        "bytes_fetched": result.bytes_fetched,
        "bytes_written": result.bytes_written,
        "delta_bytes": result.delta_bytes,
        "fallen_back": result.fallen_back,
        "idle_kib": idle_kib,
        "peak_kib": peak_kib(),
    }


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))  # noqa: T201 -- the test reads it
