# SPDX-License-Identifier: Apache-2.0
"""The OS resources of one project, by profile: which is the newest, which has this image id.

The order is that of `puad.core.version`, so that the server never offers what the node takes for
older. A withdrawn resource is still found by its image id, because a node may run it, but it is
never the newest.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub.tables import Instance, OSResource
from puad.core.version import compare_versions, version_key
from puad.core.wire import OSType


class OSResources:
    """The OS resources that one transaction sees; each profile is read once."""

    def __init__(self, session: Session, project_uuid: str) -> None:
        self._session = session
        self._project_uuid = project_uuid
        self._profiles: dict[str, tuple[OSResource, ...]] = {}

    def of_profile(self, profile_name: str) -> tuple[OSResource, ...]:
        """Every OS resource of a profile."""
        if profile_name not in self._profiles:
            wanted = select(OSResource).where(
                OSResource.project_uuid == self._project_uuid,
                OSResource.profile_name == profile_name,
            )
            self._profiles[profile_name] = tuple(self._session.scalars(wanted))
        return self._profiles[profile_name]

    def with_image(self, profile_name: str, image_id: str) -> OSResource | None:
        """The OS resource of a profile that has this image id."""
        return next((os for os in self.of_profile(profile_name) if os.image_id == image_id), None)

    def newest(self, profile_name: str) -> OSResource | None:
        """The newest immutable OS resource of a profile that has not been withdrawn."""
        offered = (
            os
            for os in self.of_profile(profile_name)
            if os.withdrawn_reason is None and os.os_type == OSType.IMMUTABLE
        )
        return max(offered, key=lambda os: version_key(os.image_id), default=None)

    def available(self, instance: Instance) -> OSResource | None:
        """What an instance could be updated to: the newest, when it is newer than what runs."""
        newest = self.newest(instance.profile_name)
        if newest is None or not instance.image_id:
            return None
        return newest if compare_versions(newest.image_id, instance.image_id) > 0 else None
