# SPDX-License-Identifier: Apache-2.0
"""The error tree of the node: what went wrong, and on what.

Every error of `puad` is a `PuadError` with a `Code`; `puad.core.codes` says what each code means.
Calling a function in the wrong order is a bug, not an error of this tree: that is a
`RuntimeError`.
"""

from __future__ import annotations

from puad.core.codes import EXPLANATIONS, Code, Explanation, FailureReason

__all__ = [
    "EXPLANATIONS",
    "BootControlError",
    "Code",
    "ConfigError",
    "DownloadError",
    "Explanation",
    "FailureReason",
    "ImageError",
    "OperatorError",
    "PuadError",
    "ServerError",
    "StorageError",
    "TrustError",
    "WireError",
]


class PuadError(Exception):
    """What went wrong, on what, and what to do next.

    Args:
        code: Which of the known things it is.
        what: What happened, as a sentence without a full stop.
        on: The file, slot, address or service that it happened on.
    """

    def __init__(self, code: Code, what: str, *, on: str = "") -> None:
        super().__init__(code, what, on)
        self.code = code
        self.what = what
        self.on = on

    @property
    def hint(self) -> str:
        """One sentence that says what to do next."""
        return EXPLANATIONS[self.code].hint

    @property
    def transient(self) -> bool:
        """Whether the same try may succeed later by itself."""
        return EXPLANATIONS[self.code].transient

    @property
    def failure_reason(self) -> FailureReason:
        """The cause in the words of the update log."""
        return EXPLANATIONS[self.code].failure_reason

    def __str__(self) -> str:
        where = f" ({self.on})" if self.on else ""
        return f"{self.what}{where}"


class ConfigError(PuadError):
    """A configuration file says something that puad cannot follow."""


class StorageError(PuadError):
    """A file of the persistent store, or a slot, could not be read or written."""


class ServerError(PuadError):
    """The orchestrator could not be asked, or its answer could not be used.

    Attributes:
        retry_after_s: How long it asked to be left alone, in seconds; None when it did not say.
    """

    retry_after_s: float | None = None


class WireError(PuadError):
    """A message does not have the form that protocol.md §1 gives it."""


class DownloadError(PuadError):
    """The release service did not give the bytes that were asked for."""


class TrustError(PuadError):
    """Signed metadata do not vouch for what was offered."""


class ImageError(PuadError):
    """An image's bytes are not what its signed index says."""


class BootControlError(PuadError):
    """The boot-control service is absent, silent, or refused a request."""


class OperatorError(PuadError):
    """An operator's request cannot be followed now."""
