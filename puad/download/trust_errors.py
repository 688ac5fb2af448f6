# SPDX-License-Identifier: Apache-2.0
"""The border to TUF: its exceptions become ours once, here, and nowhere else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from tuf.api import exceptions

from puad.core.errors import Code, DownloadError, PuadError, TrustError
from puad.core.storage import refused_write

# the first that fits counts, so the special ones stand before their bases
_TRUST: Final[tuple[tuple[type[exceptions.RepositoryError], Code], ...]] = (
    (exceptions.ExpiredMetadataError, Code.METADATA_EXPIRED),
    (exceptions.BadVersionNumberError, Code.METADATA_ROLLBACK),
    (exceptions.LengthOrHashMismatchError, Code.HASH_MISMATCH),
    (exceptions.RepositoryError, Code.SIGNATURE_INVALID),
)


@contextlib.contextmanager
def tuf_errors(where: str) -> Iterator[None]:
    """Translate what TUF raises inside.

    Args:
        where: The repository, for the message.

    Raises:
        TrustError: When signed metadata do not hold.
        DownloadError: When a file cannot be had.
        StorageError: When the scratch copy cannot be written.
    """
    try:
        yield
    except exceptions.DownloadError as error:
        raise _download_error(error, where) from error
    except exceptions.RepositoryError as error:
        code = next(code for kind, code in _TRUST if isinstance(error, kind))
        raise TrustError(code, f"The signed metadata do not hold: {error}", on=where) from error
    except OSError as error:
        on = str(error.filename or where)
        raise refused_write(error, "The metadata cannot be kept", on=on) from error


def _download_error(error: exceptions.DownloadError, where: str) -> PuadError:
    if isinstance(error.__cause__, PuadError):
        return error.__cause__
    code = Code.DOWNLOAD_UNREACHABLE
    if isinstance(error, exceptions.DownloadHTTPError):
        code = Code.DOWNLOAD_REFUSED
    elif isinstance(error, exceptions.DownloadLengthMismatchError):
        code = Code.DOWNLOAD_MISMATCH
    return DownloadError(code, f"The metadata cannot be had: {error}", on=where)
