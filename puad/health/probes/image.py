# SPDX-License-Identifier: Apache-2.0
"""Probe `image`: the image that has booted is the one that was sealed on the booted slot."""

from __future__ import annotations

from puad.core.errors import ConfigError
from puad.health.probe import Boot, Deadline, Probe, ProbeError
from puad.os_release_file import OsRelease, read_os_release


class Image(Probe, name="image"):
    """Image id and profile of os-release against what boot control recorded with the seal."""

    def run(self, deadline: Deadline) -> str:  # noqa: ARG002 - reading a file takes no time
        """Compare; a slot that was never sealed here, the factory's, has nothing recorded."""
        if self.boot.slot is None:
            raise ProbeError("boot control does not say which slot has booted")
        booted, sealed = booted_image(self.boot), self.boot.slot
        for what, is_there, was_sealed in (
            ("image", booted.image_id, sealed.image_id),
            ("profile", booted.profile, sealed.profile),
        ):
            if was_sealed not in {"", is_there}:
                found = f"{what} {is_there} has booted, but {was_sealed} was sealed on the slot"
                raise ProbeError(found)
        return f"image {booted.image_id} has booted"


def booted_image(boot: Boot) -> OsRelease:
    """What os-release of the booted root says.

    Raises:
        ProbeError: It cannot be read or does not name the image.
    """
    try:
        return read_os_release(boot.settings.paths.os_release)
    except ConfigError as error:
        raise ProbeError(str(error)) from error
