# SPDX-License-Identifier: Apache-2.0
"""Writing by chunks: no byte reaches the slot before its own signed hash has been checked.

1. The hash is taken of the very buffer that is then written.
2. What lies on the slot already is read back and hashed, and kept where it is right.
3. For the rest the cheapest way is chosen before anything is fetched (`puad.writer.plan`). Chunks
   of zeros are made in place, whenever there is nothing to take note of.
4. What is written is listed in the journal, also when the write is cut off (`puad.writer.record`).

One thread fetches, some decode, two write, and the caller's keeps the record and makes zeros.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from puad.config import Limits
from puad.core.cancelling import require_going_on
from puad.core.chunks import ChunkIndex
from puad.core.errors import OperatorError
from puad.download.source import Source
from puad.images import FramedFormat
from puad.writer.chunk_decoder import ChunkDecoder
from puad.writer.chunk_journal import ChunkJournal
from puad.writer.deltas import Deltas
from puad.writer.destination import Destination
from puad.writer.frame_fetcher import LAP_BYTES, FrameFetcher
from puad.writer.ledger import Ledger
from puad.writer.pipeline import Pipeline, Stage
from puad.writer.plan import Way, WritePlan, is_zero, plan_write
from puad.writer.record import WriteRecord
from puad.writer.tray import MOST_BYTES, Tray, make_trays

_LOG: Final = logging.getLogger(__name__)
_MOST_DECODERS: Final = 4
_WRITERS: Final = 2  # while one is heard of again, the medium has the next
_DICTIONARIES_BYTES: Final = 8 << 20
_ZERO_BYTES: Final = 16 << 20  # a device without a quicker way writes them, and may be slow


@dataclass(frozen=True, slots=True)
class FullFile:
    """The published file with all frames.

    Attributes:
        index: The chunks.
        image_format: Makes a chunk of its frame.
        source: Where frames come from.
    """

    index: ChunkIndex
    image_format: FramedFormat
    source: Source


class ChunkWriter:
    """One write of one indexed image.

    Args:
        destination: Where it goes.
        file: What is published.
        journal: Open; what an earlier write left, and where this one takes notes.
        limits: Bounds on memory and on the work that a power cut costs.
        deltas: What there is beside the file; None for nothing.

    Attributes:
        plan: How the chunks come; None before that is known.
        delta_bytes: What was fetched of a delta.
        full_bytes: What was fetched of the file.
        fallen_back: How many chunks a delta did not give.
    """

    def __init__(
        self,
        destination: Destination,
        file: FullFile,
        journal: ChunkJournal,
        limits: Limits,
        deltas: Deltas | None = None,
    ) -> None:
        self._destination = destination
        self._file = file
        self._chunks = file.index.chunks
        self._record = WriteRecord(destination, self._chunks, journal, limits.journal_batch_bytes)
        self._limits = limits
        self._deltas = deltas
        self._writes_no_more = False
        self.plan: WritePlan | None = None
        self.delta_bytes = 0
        self.full_bytes = 0
        self.fallen_back = 0

    @property
    def bytes_written(self) -> int:
        """Image bytes that went to the slot, zeros included."""
        return self._record.bytes_written

    def write(self, cancelled: Callable[[], bool], progress: Callable[[int, int], None]) -> None:
        """Bring every chunk that is wanted to the slot (see `write_image`)."""
        ahead_bytes = 2 * LAP_BYTES if self._deltas else MOST_BYTES
        missing = self._record.find_missing(ahead_bytes, cancelled, progress)
        offers = self._deltas.load() if self._deltas else ()
        self.plan = plan_write(self._chunks, missing, offers, len(self._record.wanted))
        _LOG.info("%s", self.plan)
        with self._record.listing():
            self._carry_out(self.plan, cancelled)

    def _carry_out(self, plan: WritePlan, cancelled: Callable[[], bool]) -> None:
        zeros = self._zeros([number for number in plan.missing if is_zero(self._chunks[number])])

        def make_zeros() -> bool:
            return next(zeros, None) is not None

        if plan.counts[Way.ZERO] < len(plan.missing):
            self._run_stages(plan, cancelled, make_zeros)
        require_going_on(cancelled)
        while make_zeros():
            require_going_on(cancelled)

    def _run_stages(
        self, plan: WritePlan, cancelled: Callable[[], bool], make_zeros: Callable[[], bool]
    ) -> None:
        ledger = Ledger()
        fetcher = FrameFetcher(
            self._chunks, plan, self._file.source, ledger, self._limits.range_bytes
        )
        largest = plan.largest(self._chunks)
        decoders = min(len(os.sched_getaffinity(0)), _MOST_DECODERS)
        if largest.dictionary:
            decoders = max(1, min(decoders, _DICTIONARIES_BYTES // largest.dictionary))
        trays = make_trays(largest.frame, largest.chunk, decoders + self._limits.queue_chunks)
        frames = self._deltas.frames(largest.dictionary) if self._deltas and plan.delta else None
        decoder = ChunkDecoder(self._chunks, self._file.image_format, plan, frames, ledger)
        stages = [
            Stage("puad-decode", decoder.decode, decoders),
            Stage("puad-write", self._write, _WRITERS),
        ]
        try:
            with Pipeline(fetcher.fetch, stages, trays) as pipeline, self._leaving():
                self._take_notes(pipeline, cancelled, make_zeros)
        finally:
            self.delta_bytes, self.full_bytes = fetcher.delta_bytes, fetcher.full_bytes
            self.fallen_back = ledger.fallen_back
            if ledger.fallen_back:
                what = "%d chunks did not come out of the delta and were fetched from the full file"
                _LOG.warning(what, ledger.fallen_back)

    def _take_notes(
        self, pipeline: Pipeline, cancelled: Callable[[], bool], make_zeros: Callable[[], bool]
    ) -> None:
        """Record what comes through; who is cancelled by it still gets all that has come whole."""

        def meanwhile() -> bool:
            try:
                return make_zeros()
            except OperatorError as error:
                pipeline.fail(error)
                return False

        for tray in pipeline.items(cancelled, meanwhile):
            try:
                self._record.wrote([tray.number])
            except OperatorError as error:
                pipeline.fail(error)

    def _write(self, tray: Tray) -> bool:
        """Write a chunk, unless the medium has refused one: each of the others may take long."""
        if self._writes_no_more:
            return False
        with self._leaving():
            self._destination.write(self._chunks[tray.number].image_offset, tray.data)
        return True

    @contextlib.contextmanager
    def _leaving(self) -> Iterator[None]:
        """An error within ends the writing: nobody takes notes of what would still be written."""
        try:
            yield
        except BaseException:
            self._writes_no_more = True
            raise

    def _zeros(self, numbers: Sequence[int]) -> Iterator[int]:
        """Make chunks of zeros, some neighbours at each step."""
        run: list[int] = []
        length = 0
        for number in numbers:
            chunk = self._chunks[number]
            if run and (number != run[-1] + 1 or length + chunk.image_length > _ZERO_BYTES):
                yield self._make_zeros(run, length)
                run, length = [], 0
            run.append(number)
            length += chunk.image_length
        if run:
            yield self._make_zeros(run, length)

    def _make_zeros(self, run: list[int], length: int) -> int:
        self._destination.zero(self._chunks[run[0]].image_offset, length)
        self._record.wrote(run)
        return length
