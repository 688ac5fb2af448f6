# SPDX-License-Identifier: Apache-2.0
"""The error tree of the orchestrator: one word for each way to refuse a request.

The words are those of gRPC and Connect, because a node and an operator get the same ones: in a
Connect error from the maintenance manager, in a problem document from the REST API, and in the
message of a command.
"""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Final


class Code(StrEnum):
    """Why a request was refused."""

    INVALID_ARGUMENT = "invalid_argument"
    UNAUTHENTICATED = "unauthenticated"
    PERMISSION_DENIED = "permission_denied"
    NOT_FOUND = "not_found"
    ALREADY_EXISTS = "already_exists"
    ABORTED = "aborted"
    FAILED_PRECONDITION = "failed_precondition"
    RESOURCE_EXHAUSTED = "resource_exhausted"
    UNIMPLEMENTED = "unimplemented"
    INTERNAL = "internal"
    UNAVAILABLE = "unavailable"


HTTP_STATUS: Final[dict[Code, int]] = {
    Code.INVALID_ARGUMENT: 400,
    Code.UNAUTHENTICATED: 401,
    Code.PERMISSION_DENIED: 403,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.ABORTED: 409,
    Code.FAILED_PRECONDITION: 400,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
}

EXIT_STATUS: Final[dict[Code, int]] = {
    Code.INVALID_ARGUMENT: os.EX_USAGE,
    Code.UNAUTHENTICATED: os.EX_NOPERM,
    Code.PERMISSION_DENIED: os.EX_NOPERM,
    Code.NOT_FOUND: os.EX_NOINPUT,
    Code.ALREADY_EXISTS: os.EX_CANTCREAT,
    Code.ABORTED: os.EX_TEMPFAIL,
    Code.FAILED_PRECONDITION: os.EX_CONFIG,
    Code.RESOURCE_EXHAUSTED: os.EX_TEMPFAIL,
    Code.UNIMPLEMENTED: os.EX_UNAVAILABLE,
    Code.INTERNAL: os.EX_SOFTWARE,
    Code.UNAVAILABLE: os.EX_UNAVAILABLE,
}


class OrchestratorError(Exception):
    """A request or a command that the orchestrator does not follow.

    Attributes:
        code: The word for it.
        what: What happened, on what, for a person; never a secret.
        hint: What to do next; empty when the message says it.
        inside: What only the log and whoever runs the server may know: where its database is, and
            what that says. Callers are told `what`; as a text the error is both.
    """

    def __init__(self, code: Code, what: str, *, hint: str = "", inside: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.hint = hint
        self.inside = inside

    def __str__(self) -> str:
        return f"{self.what}: {self.inside}" if self.inside else self.what

    @property
    def is_ours(self) -> bool:
        """Whether the server failed, and not who asked; its log says so then."""
        return self.code in {Code.INTERNAL, Code.UNAVAILABLE}


class SettingsError(OrchestratorError):
    """The data directory or its configuration cannot be used."""

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(Code.FAILED_PRECONDITION, what, hint=hint)


class ReleaseServiceError(OrchestratorError):
    """The release service could not be read, or does not deserve trust."""

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(Code.UNAVAILABLE, what, hint=hint)


class ThrottledError(OrchestratorError):
    """Somebody tries too often, or too many try at a time.

    Attributes:
        retry_after_s: When to try again, seconds from now.
    """

    def __init__(self, what: str, *, retry_after_s: int) -> None:
        super().__init__(
            Code.RESOURCE_EXHAUSTED, what, hint=f"Try again in {retry_after_s} seconds."
        )
        self.retry_after_s = retry_after_s
