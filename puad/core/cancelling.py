# SPDX-License-Identifier: Apache-2.0
"""Cancelling: whatever takes long asks again and again whether it is to go on."""

from __future__ import annotations

from collections.abc import Callable

from puad.core.errors import Code, OperatorError


def require_going_on(cancelled: Callable[[], bool]) -> None:
    """Stop here when it is cancelled.

    Args:
        cancelled: Says so; called in the thread whose work it is.

    Raises:
        OperatorError: `CANCELLED`.
    """
    if cancelled():
        raise cancellation()


def cancellation() -> OperatorError:
    """What ends the work that is cancelled."""
    return OperatorError(Code.CANCELLED, "The installation was cancelled")
