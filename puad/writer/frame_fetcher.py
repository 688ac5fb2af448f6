# SPDX-License-Identifier: Apache-2.0
"""The fetching stage: asks for frames, and lays each in a tray of its own as its bytes come.

1. Frames that lie side by side in a file are asked for together, up to the size of one request.
2. Only one answer is read at a time, so one connection is enough. Where a delta is used it goes lap
   by lap, a lap being some 128 MiB of image: first the lap's frames of the delta, with the chunks
   that are copied in between, then its frames of the full file. So what may have been written
   without being listed lies in few laps (`puad.writer.missing`).
3. A chunk that the delta does not give is fetched from the full file as soon as that is known.
4. A delta that cannot be reached is no reason to fetch the full file: the link may be dear, and be
   back soon. So one chunk is fetched from it. Where that comes, and then still nothing of the
   delta, it is the delta that cannot be had, and it is given up.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from puad.core.chunks import Chunk
from puad.core.errors import Code, DownloadError
from puad.download.source import Source
from puad.writer.ledger import Ledger
from puad.writer.pipeline import Pipeline
from puad.writer.plan import Way, WritePlan, way_of
from puad.writer.tray import Tray

LAP_BYTES: Final = 128 << 20
_NOT_THERE: Final = frozenset({Code.DOWNLOAD_REFUSED, Code.DOWNLOAD_MISMATCH})


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk, and where its frame lies in the file that it comes from; of length 0 for none."""

    number: int
    offset: int
    length: int


class FrameFetcher:
    """Fetches what a plan says.

    Args:
        chunks: All chunks of the image.
        plan: Which of them come by which way.
        source: The full file.
        ledger: What becomes of the delta's chunks.
        range_bytes: Size of one request.

    Attributes:
        delta_bytes: What has come of the delta.
        full_bytes: What has come of the full file.
    """

    def __init__(
        self,
        chunks: Sequence[Chunk],
        plan: WritePlan,
        source: Source,
        ledger: Ledger,
        range_bytes: int,
    ) -> None:
        self._chunks = chunks
        self._plan = plan
        self._source = source
        self._ledger = ledger
        self._range_bytes = range_bytes
        self._out_of_reach = False
        self.delta_bytes = 0
        self.full_bytes = 0

    def fetch(self, pipeline: Pipeline) -> Generator[Tray]:
        """Fill trays, until all chunks of the plan have come or have their bytes."""
        for lap in self._laps():
            full = yield from self._fetch_lap(lap, pipeline)
            yield from self._fetch_full(sorted([*full, *self._ledger.take()]), pipeline)
        while numbers := self._ledger.take(settled=True):
            yield from self._fetch_full(numbers, pipeline)

    def _laps(self) -> Iterator[list[int]]:
        if self._plan.delta is None:
            yield list(self._plan.missing)
            return
        lap: list[int] = []
        for number in self._plan.missing:
            start = self._chunks[lap[0] if lap else number].image_offset
            if self._chunks[number].image_offset - start >= LAP_BYTES:
                yield lap
                lap = []
            lap.append(number)
        yield lap

    def _fetch_lap(self, lap: list[int], pipeline: Pipeline) -> Generator[Tray, None, list[int]]:
        """Fill trays by the delta, and say which chunks are left to the full file."""
        pieces, full = [], []
        for number in lap:
            made = self._plan.made(number)
            way = way_of(self._chunks[number], made)
            if way is Way.FULL or (self._ledger.given_up and way is not Way.ZERO):
                full.append(number)
            elif made and way is Way.COPY:
                pieces.append(Piece(number, 0, 0))
            elif made and made.frame:
                pieces.append(Piece(number, made.frame.offset, made.frame.length))
        for request in self._requests(pieces):
            if self._ledger.given_up:
                full += [piece.number for piece in request]
                continue
            yield from self._fetch_delta(request, full, pipeline)
        return full

    def _fetch_delta(
        self, request: list[Piece], full: list[int], pipeline: Pipeline
    ) -> Generator[Tray]:
        while request:
            come = 0
            try:
                for tray in self._trays(request, Way.DELTA, pipeline):
                    self._out_of_reach = self._out_of_reach and tray.way is Way.COPY
                    if self._ledger.given_up:
                        pipeline.give_back(tray)
                        break
                    come += 1
                    self._ledger.begin()
                    yield tray
            except DownloadError as error:
                if error.code in _NOT_THERE or self._out_of_reach:
                    self._ledger.give_up()
                else:
                    self._out_of_reach = True
                    probe, request = request[come : come + 1], request[come + 1 :]
                    yield from self._fetch_full([piece.number for piece in probe], pipeline)
                    continue
            full += [piece.number for piece in request[come:]]
            return

    def _fetch_full(self, numbers: Iterable[int], pipeline: Pipeline) -> Generator[Tray]:
        chunks = [(number, self._chunks[number]) for number in numbers]
        pieces = [Piece(number, chunk.file_offset, chunk.file_length) for number, chunk in chunks]
        for request in self._requests(pieces):
            yield from self._trays(request, Way.FULL, pipeline)

    def _requests(self, pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
        """Group pieces whose frames lie side by side; those without frames go along."""
        request: list[Piece] = []
        start = end = -1
        for piece in pieces:
            joins = piece.offset == end and piece.offset + piece.length - start <= self._range_bytes
            if piece.length and end >= 0 and not joins:
                yield request
                request, end = [], -1
            request.append(piece)
            if piece.length:
                start = piece.offset if end < 0 else start
                end = piece.offset + piece.length
        if request:
            yield request

    def _trays(self, request: list[Piece], way: Way, pipeline: Pipeline) -> Iterator[Tray]:
        framed = [piece for piece in request if piece.length]
        answer: Iterator[memoryview] = iter(())
        if framed:
            length = sum(piece.length for piece in framed)
            answer = self._receive(way, framed[0].offset, length, pipeline)
        rest = memoryview(b"")
        for piece in request:
            tray = pipeline.take()
            room = self._chunks[piece.number].image_length
            tray.lay(piece.number, way if piece.length else Way.COPY, piece.length, room)
            try:
                rest = _fill(tray.frame, rest, answer)
            except BaseException:
                pipeline.give_back(tray)
                raise
            yield tray
        next(answer, None)  # there is none left, but the source learns that all has arrived

    def _receive(
        self, way: Way, offset: int, length: int, pipeline: Pipeline
    ) -> Iterator[memoryview]:
        delta = self._plan.delta
        source = delta.source if delta and way is Way.DELTA else self._source
        for data in source.read(offset, length, lambda: pipeline.stopping):
            if way is Way.DELTA:
                self.delta_bytes += len(data)
            else:
                self.full_bytes += len(data)
            yield memoryview(data)


def _fill(frame: memoryview, rest: memoryview, answer: Iterator[memoryview]) -> memoryview:
    """Lay bytes of an answer in a frame, first what is left of the last piece, and say what is."""
    while frame:
        rest = rest or next(answer)
        part = rest[: len(frame)]
        frame[: len(part)] = part
        frame, rest = frame[len(part) :], rest[len(part) :]
    return rest
