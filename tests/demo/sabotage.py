# SPDX-License-Identifier: Apache-2.0
"""Sabotage: ways to break the node's promises, with which tests see that the demo turns red."""

from __future__ import annotations

from enum import StrEnum


class Sabotage(StrEnum):
    """What is broken."""

    NONE = "none"
    SWAPPED_SLOT = "swapped-slot"  # the sealed slot's file is exchanged for another one
    EMPTY_PROBES = "empty-probes"  # the unhealthy image has lost its failing probe
    NO_COUNTING = "no-counting"  # the firmware does not count tries
