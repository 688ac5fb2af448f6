# SPDX-License-Identifier: Apache-2.0
"""A published repository and a node that trusts it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from puad.config import Limits
from puad.core.manifest import Manifest
from puad.download.folder import FolderOrigin
from puad.download.repository import ReleaseRepository
from tests.unit.download.signed_repository import NOW, SignedRepository

IMAGE = "edge/13.1/edge-13.1.raw.zst"
INDEX = f"{IMAGE}.idx"
Open = Callable[..., ReleaseRepository]


@pytest.fixture
def published(tmp_path: Path) -> SignedRepository:
    """A repository with one release."""
    repository = SignedRepository(tmp_path / "published")
    manifest = Manifest(
        profile="edge",
        version="13.1",
        format="raw.zst",
        image_size=8,
        image_hash="a" * 64,
        built_at=datetime(2026, 11, 1, tzinfo=NOW.tzinfo),
        index=INDEX,
    )
    repository.add(IMAGE, b"the file", manifest.dump())
    repository.add(INDEX, b"the index")
    repository.publish()
    return repository


@pytest.fixture
def open_node(tmp_path: Path, published: SignedRepository) -> Iterator[Open]:
    """Make a node's view of the published folder; the trust root is today's unless given."""
    trust_root = tmp_path / "root.json"
    trust_root.write_bytes(published.root_file.read_bytes())
    with ExitStack() as stack:

        def start(**options: Any) -> ReleaseRepository:
            folder = os.open(options.pop("folder", published.folder), os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, folder)
            defaults: dict[str, Any] = {
                "cache": tmp_path / "cache",
                "trust_root": trust_root,
                "limits": Limits(),
                "reference_time": NOW,
            }
            return ReleaseRepository(FolderOrigin(folder), **(defaults | options))

        yield start
