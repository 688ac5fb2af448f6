# SPDX-License-Identifier: Apache-2.0
"""Probe `image`: the image that has booted is the one that was sealed on the booted slot."""

from __future__ import annotations

from puad.core.errors import ConfigError
from puad.health.probe import Boot, Deadline, Probe, ProbeError
from puad.os_release_file import read_os_release


class Image(Probe, name="image"):
    """The image id of os-release against what boot control recorded with the seal."""

    def run(self, deadline: Deadline) -> str:  # noqa: ARG002 - reading a file takes no time
        """Compare; a slot that was never sealed here, the factory's, has nothing recorded."""
        if self.boot.slot is None:
            raise ProbeError("boot control does not say which slot has booted")
        booted, sealed = booted_image_id(self.boot), self.boot.slot.image_id
        if sealed and sealed != booted:
            raise ProbeError(f"image {booted} has booted, but {sealed} was sealed on the slot")
        return f"image {booted} has booted"


def booted_image_id(boot: Boot) -> str:
    """IMAGE_VERSION of the booted root.

    Raises:
        ProbeError: os-release cannot be read or does not name the image.
    """
    try:
        return read_os_release(boot.settings.paths.os_release).image_id
    except ConfigError as error:
        raise ProbeError(str(error)) from error
