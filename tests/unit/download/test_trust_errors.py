# SPDX-License-Identifier: Apache-2.0
"""The border to TUF: each of its exceptions becomes one of ours."""

from __future__ import annotations

import errno

import pytest
from tuf.api import exceptions
from tuf.api.serialization import DeserializationError

from puad.core.errors import Code, DownloadError, PuadError, StorageError, TrustError
from puad.download.trust_errors import tuf_errors


@pytest.mark.parametrize(
    ("raised", "kind", "code"),
    [
        (exceptions.UnsignedMetadataError("x"), TrustError, Code.SIGNATURE_INVALID),
        (exceptions.RepositoryError("x"), TrustError, Code.SIGNATURE_INVALID),
        (DeserializationError("x"), TrustError, Code.SIGNATURE_INVALID),
        (exceptions.ExpiredMetadataError("x"), TrustError, Code.METADATA_EXPIRED),
        (exceptions.BadVersionNumberError("x"), TrustError, Code.METADATA_ROLLBACK),
        (exceptions.EqualVersionNumberError("x"), TrustError, Code.METADATA_ROLLBACK),
        (exceptions.LengthOrHashMismatchError("x"), TrustError, Code.HASH_MISMATCH),
        (exceptions.DownloadHTTPError("x", 404), DownloadError, Code.DOWNLOAD_REFUSED),
        (exceptions.DownloadLengthMismatchError("x"), DownloadError, Code.DOWNLOAD_MISMATCH),
        (exceptions.SlowRetrievalError("x"), DownloadError, Code.DOWNLOAD_UNREACHABLE),
        (exceptions.DownloadError("x"), DownloadError, Code.DOWNLOAD_UNREACHABLE),
        (OSError(errno.ENOSPC, "x"), StorageError, Code.DISK_FULL),
        (OSError(errno.EDQUOT, "x"), StorageError, Code.DISK_FULL),
        (OSError(errno.EIO, "x"), StorageError, Code.STATE_UNWRITABLE),
        (TrustError(Code.TARGET_UNKNOWN, "x"), TrustError, Code.TARGET_UNKNOWN),
    ],
)
def test_error_of_tuf_becomes_one_of_ours(
    raised: Exception, kind: type[PuadError], code: Code
) -> None:
    with pytest.raises(kind) as caught, tuf_errors("there"):
        raise raised
    assert caught.value.code is code


def test_error_with_one_of_ours_as_its_cause_becomes_that() -> None:
    cause = DownloadError(Code.INSECURE_TRANSPORT, "x")
    with pytest.raises(DownloadError) as caught, tuf_errors("there"):
        raise exceptions.DownloadError("x") from cause
    assert caught.value is cause


def test_mistake_in_our_own_code_is_not_hidden() -> None:
    with pytest.raises(RuntimeError), tuf_errors("there"):
        raise RuntimeError
