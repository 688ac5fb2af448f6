# SPDX-License-Identifier: Apache-2.0
"""The repository that an install comes from: its bandwidth is limited, and counted."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from puad.config import PaceSettings, Settings
from puad.core.model import Offer
from puad.core.run import Goal
from puad.effects.clock import Clock
from puad.effects.supply import Supplier
from puad.effects.watch import Progress, Watch
from puad.store import Store
from tests.integration.download.range_server import RangeServer
from tests.unit.download.signed_repository import SignedRepository

INDEX = "edge/13.1/index"
RATE = 100_000
GOAL = Goal("r1", Offer("edge/13.1/image", "13.1", "ab" * 32, "edge"), "b", datetime.now(UTC))


class Node:
    """A node's supplier, and what an install shows of itself."""

    def __init__(self, folder: Path, url: str, trust_root: Path) -> None:
        settings = Settings()
        paths = replace(settings.paths, persist=folder, trust_root=trust_root)
        release = replace(settings.release, url=url)
        pace = PaceSettings(RATE, busy_write_bytes_s=0, pause_above_load_percent=0)
        store = Store(folder)
        self.watch = Watch()
        self.supplier = Supplier(
            replace(settings, paths=paths, release=release, pace=pace),
            store,
            Clock(store, datetime(2026, 11, 20, tzinfo=UTC), lambda: False),
            self.watch,
        )

    def fetched(self) -> int:
        self.watch.show(Progress("fetch", 0, 1))
        return self.watch.progress.fetched_bytes


@pytest.fixture
def published(tmp_path: Path) -> SignedRepository:
    repository = SignedRepository(tmp_path / "published")
    repository.add(INDEX, b"x" * 100_000)
    repository.publish()
    return repository


@pytest.fixture
def server(published: SignedRepository) -> Iterator[RangeServer]:
    paths = [path for path in published.folder.rglob("*") if path.is_file()]
    files = {f"/{path.relative_to(published.folder)}": path.read_bytes() for path in paths}
    with RangeServer(files) as serving:
        yield serving


def test_metadata_and_index_take_and_count_as_the_bandwidth_of_the_install(
    published: SignedRepository, server: RangeServer, tmp_path: Path
) -> None:
    node = Node(tmp_path, server.url, published.metadata / "1.root.json")
    started = time.monotonic()
    with node.supplier.open(GOAL) as repository:
        assert len(repository.small_target(INDEX, 200_000)) == 100_000
    sent = sum(len(asked.body) for asked in server.asked)
    assert node.fetched() == sent > 100_000
    # less a quarter of a second at the beginning and the last piece, for which nobody waits
    assert time.monotonic() - started > sent / RATE - 0.51


def test_next_install_counts_anew_and_a_folder_is_no_network(
    published: SignedRepository, server: RangeServer, tmp_path: Path
) -> None:
    node = Node(tmp_path, server.url, published.metadata / "1.root.json")
    with node.supplier.open(GOAL):
        first = node.fetched()
    node.supplier.keep_folder(os.open(published.folder, os.O_RDONLY | os.O_DIRECTORY))
    with node.supplier.open(replace(GOAL, from_folder=True)) as repository:
        assert len(repository.small_target(INDEX, 200_000)) == 100_000
        assert first > node.fetched() == 0
