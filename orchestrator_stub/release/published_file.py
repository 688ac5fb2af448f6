# SPDX-License-Identifier: Apache-2.0
"""The published file of an image: made of frames, or the packed file itself, byte for byte."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO

from orchestrator_stub.release.disk import translated
from orchestrator_stub.release.formats import is_framed
from orchestrator_stub.release.frames import ENCODERS, Encoded, encode_image, index_image
from orchestrator_stub.release.image import RawImage
from orchestrator_stub.release.work import Work
from orchestrator_stub.release.written_file import finish_file
from puad.core.chunks import ChunkIndex


def write_published_file(
    image: RawImage, name: str, target: Path, work: Work
) -> tuple[Encoded, ChunkIndex]:
    """Write the published file of an image.

    Args:
        image: The image, unpacked.
        name: The format of the file.
        target: Where it is written.
        work: How the long work is done.

    Raises:
        InputError: When the image cannot be read.
        WriteError: When the disk refuses it.
    """
    with translated(target), target.open("xb") as out:
        if image.packed is None or is_framed(name):
            made = _encode(image, name, out, work)
        else:
            made = _copy(image, image.packed, out, work)
        finish_file(out)
    return made


def _encode(image: RawImage, name: str, out: BinaryIO, work: Work) -> tuple[Encoded, ChunkIndex]:
    return encode_image(
        image,
        out,
        ENCODERS[name](work.level),
        threads=work.threads,
        progress=work.progress("compressing", image.size),
    )


def _copy(
    image: RawImage, packed: RawImage, out: BinaryIO, work: Work
) -> tuple[Encoded, ChunkIndex]:
    told = work.progress("copying", packed.size)
    file_hash = hashlib.sha256()
    for piece in packed.chunks():
        out.write(piece)
        file_hash.update(piece)
        told(len(piece))
    image_hash, index = index_image(
        image, threads=work.threads, progress=work.progress("indexing", image.size)
    )
    encoded = Encoded(image.root.length, image_hash, packed.size, file_hash.hexdigest())
    return encoded, index
