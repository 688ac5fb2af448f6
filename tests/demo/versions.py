# SPDX-License-Identifier: Apache-2.0
"""Versions: the images that the demo publishes, one after the other, and what each is for."""

from __future__ import annotations

from typing import Final

from tests.demo.images import Image
from tests.demo.roots import FIRST, SECOND

FAILING_PROBE: Final = (
    "application",
    "#!/bin/sh\necho 'the shop application does not answer on its socket'\nexit 1\n",
)

START: Final = Image("13.1", FIRST)
UPDATE: Final = Image("13.2", SECOND)
UNHEALTHY: Final = Image("13.3", FIRST, (FAILING_PROBE,))
MENDED: Final = Image("13.4", FIRST)
FLIPPED: Final = Image("13.5", SECOND)
FORGED: Final = Image("13.6", SECOND)
RESUMED: Final = Image("13.7", FIRST)
