# SPDX-License-Identifier: Apache-2.0
"""What puad says of itself on D-Bus (`org.puad.Agent1`)."""

from __future__ import annotations

import json
from typing import Any, Final

from puad.health.bus import Bus
from puad.health.probe import ProbeError

AGENT: Final = "org.puad.Agent1"
_PEER: Final = (AGENT, "/org/puad/Agent1")


def agent_status(bus: Bus) -> dict[str, Any]:
    """The status document.

    Raises:
        ProbeError: puad does not answer, or not with a document.
    """
    (text,) = bus.call(_PEER, f"{AGENT}.Status", None, "(s)")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProbeError("puad's status is not JSON") from error
    if not isinstance(document, dict):
        raise ProbeError("puad's status is not an object")
    return document
