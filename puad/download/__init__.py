# SPDX-License-Identifier: Apache-2.0
"""The download side: signed metadata of the release service, and the bytes that they vouch for.

An *origin* is where a repository lies: an HTTP server, or a folder that somebody exported. The
`ReleaseRepository` verifies its metadata and says what a target is; a `Source` gives byte ranges of
one big file, which nothing has vouched for until the writer has hashed them.
"""

from __future__ import annotations

from puad.download.folder import FolderOrigin, FolderSource
from puad.download.http_source import HttpSource
from puad.download.origin import HttpOrigin, Origin
from puad.download.release import Release, SeenVersions, SignedChain
from puad.download.repository import ReleaseRepository
from puad.download.source import Source

__all__ = [
    "FolderOrigin",
    "FolderSource",
    "HttpOrigin",
    "HttpSource",
    "Origin",
    "Release",
    "ReleaseRepository",
    "SeenVersions",
    "SignedChain",
    "Source",
]
