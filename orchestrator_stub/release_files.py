# SPDX-License-Identifier: Apache-2.0
"""The release service's static files, with ranges as RFC 9110 has them on every Starlette.

Debian 13's Starlette 0.46 leaves three cases wrong, and all are mended here: a suffix longer than
the file is the whole file (section 14.1.2), what a 416 says of the file's length begins with the
unit (section 14.4), and a request for several ranges breaks off in a trace. Nobody here asks for
several, and a server may ignore them (section 14.2).

Nothing of it is more than bytes: a publisher chooses the names of files, and a browser must not
take one for a page or a script of this server.
"""

from __future__ import annotations

import os
import re
from typing import Final

from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

_SUFFIX: Final = re.compile(rb"bytes=-([0-9]{1,20})")
_RANGE_NOT_SATISFIABLE: Final = 416
_BYTES: Final = "application/octet-stream"


class OneRangeFiles(StaticFiles):
    """One folder of files; of a file one range is given, or else all of it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        kept = [header for header in scope["headers"] if not _is_of_several(*header)]
        await super().__call__({**scope, "headers": kept}, receive, send)


class ReleaseFiles(OneRangeFiles):
    """One folder of published files."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def send_with_unit(message: Message) -> None:
            if message.get("status") == _RANGE_NOT_SATISFIABLE:
                message["headers"] = [
                    (name, _with_unit(name, value)) for name, value in message["headers"]
                ]
            await send(message)

        await super().__call__(scope, receive, send_with_unit)

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """The answer with a file; the response reads the range out of the same scope."""
        size = stat_result.st_size
        scope["headers"] = [(name, _within(name, value, size)) for name, value in scope["headers"]]
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Content-Type"] = _BYTES
        return response


def _is_of_several(name: bytes, value: bytes) -> bool:
    return name == b"range" and b"," in value


def _within(name: bytes, value: bytes, size: int) -> bytes:
    suffix = _SUFFIX.fullmatch(value) if name == b"range" else None
    return b"bytes=0-" if suffix and int(suffix[1]) > size else value


def _with_unit(name: bytes, value: bytes) -> bytes:
    bare = name == b"content-range" and value.startswith(b"*")
    return b"bytes " + value if bare else value
