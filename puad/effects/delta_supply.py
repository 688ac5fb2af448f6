# SPDX-License-Identifier: Apache-2.0
"""Delta supply: which of the published deltas may serve on this node, opened for one write.

A delta is taken by the version that the node has booted. That version is a claim like any other:
what comes of the active slot is checked chunk by chunk. Whatever is wrong with a delta, the full
file serves.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from puad.bootcontrol import BootControl
from puad.config import Limits
from puad.core.chunks import ChunkIndex
from puad.core.delta import Delta, parse_delta_index
from puad.core.errors import (
    BootControlError,
    Code,
    DownloadError,
    ImageError,
    PuadError,
    TrustError,
)
from puad.writer import DeltaFile, Deltas

if TYPE_CHECKING:  # it is loaded when a repository is opened
    from puad.download.repository import ReleaseRepository

_LOG: Final = logging.getLogger(__name__)


class DeltaSupply:
    """The deltas of one repository.

    Args:
        repository: Where they come from.
        boot_control: Opens the active slot.
        limits: Bounds on the size of an index.
    """

    def __init__(
        self, repository: ReleaseRepository, boot_control: BootControl, limits: Limits
    ) -> None:
        self._repository = repository
        self._boot_control = boot_control
        self._limits = limits

    @contextlib.contextmanager
    def open(
        self, deltas: tuple[Delta, ...], index: ChunkIndex | None, image_id: str
    ) -> Iterator[Deltas | None]:
        """What makes an image of what this node has booted; None for nothing.

        Args:
            deltas: Those of the image.
            index: Its chunks; None when it has no index.
            image_id: The booted image.
        """
        fitting = [delta for delta in deltas if delta.from_version == image_id]
        active = self._open_active() if fitting and index and index.framed else None
        if active is None or index is None:
            yield None
            return
        opened = Deltas(active, lambda: self._load(fitting, index))
        try:
            yield opened
        finally:
            opened.close()
            os.close(active)

    def _open_active(self) -> int | None:
        try:
            return self._boot_control.open_active()
        except BootControlError as error:
            _LOG.warning("deltas are left out, the active slot cannot be read: %s", error)
            return None

    def _load(self, deltas: list[Delta], index: ChunkIndex) -> Iterator[DeltaFile]:
        for delta in deltas:
            try:
                yield self._load_one(delta, index)
            except (TrustError, DownloadError, ImageError) as error:
                _LOG.log(
                    _level(error), "the delta from %s is left out: %s", delta.from_version, error
                )

    def _load_one(self, delta: Delta, index: ChunkIndex) -> DeltaFile:
        file_size = self._repository.target_size(delta.path)
        data = self._repository.small_target(delta.index, self._limits.index_bytes)
        made = parse_delta_index(data, chunks=index.chunks, file_size=file_size)
        return DeltaFile(delta.from_version, made, self._repository.source(delta.path))


def _level(error: PuadError) -> int:
    """How loud it is: an exported repository has no deltas, and nothing is wrong with it."""
    return logging.INFO if error.code is Code.TARGET_UNKNOWN else logging.WARNING
