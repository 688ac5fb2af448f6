# SPDX-License-Identifier: Apache-2.0
"""The OS resources of one project as values: which is the newest, which has this image id.

The order is that of `puad.core.version`, so that the server never offers what the node takes for
older. A withdrawn resource is still found by its image id, because a node may run it, but it is
never the newest.

Lists of packages and CVEs are long and no question here needs them, so they are not read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub.records import Instance, OSResource
from puad.core.version import VersionKey, version_key
from puad.core.wire import OSType


@dataclass(frozen=True, slots=True)
class Image:
    """What an offer and an order need of one OS resource; `id` is the record's."""

    id: str
    name: str
    profile_name: str
    profile_version: str
    image_id: str
    image_url: str
    file_hash: str
    os_type: str
    withdrawn_reason: str | None


_COLUMNS = (
    OSResource.id,
    OSResource.name,
    OSResource.profile_name,
    OSResource.profile_version,
    OSResource.image_id,
    OSResource.image_url,
    OSResource.file_hash,
    OSResource.os_type,
    OSResource.withdrawn_reason,
)


def may_be_offered(image: Image | OSResource) -> bool:
    """Whether an OS resource may be offered at all: it is immutable, and was not withdrawn."""
    return image.withdrawn_reason is None and image.os_type == OSType.IMMUTABLE


class OSResources:
    """The OS resources of a project as one transaction sees them; they are read once."""

    def __init__(self, session: Session, project_uuid: str) -> None:
        self._session: Session | None = session
        self._project_uuid = project_uuid

    def load(self) -> Self:
        """Read them now, so that they can be used after the session."""
        if self._by_id is not None:
            self._session = None
        return self

    def __iter__(self) -> Iterator[Image]:
        return iter(self._by_id.values())

    def with_id(self, os_id: str | None) -> Image | None:
        """The OS resource with this id."""
        return self._by_id.get(os_id or "")

    def with_image(self, profile_name: str, image_id: str) -> Image | None:
        """The OS resource of a profile that has this image id."""
        return self._by_image.get((profile_name, image_id))

    def newest(self, profile_name: str) -> Image | None:
        """The newest immutable OS resource of a profile that has not been withdrawn."""
        newest = self._newest.get(profile_name)
        return newest[1] if newest else None

    def newer(self, profile_name: str, image_id: str) -> Image | None:
        """The newest of a profile, when it is newer than this image id; None when none is known."""
        newest = self._newest.get(profile_name)
        if newest is None or not image_id or newest[0] <= version_key(image_id):
            return None
        return newest[1]

    def available(self, instance: Instance) -> Image | None:
        """What an instance could be updated to: the newest, when it is newer than what runs."""
        return self.newer(instance.profile_name, instance.image_id)

    @cached_property
    def _by_id(self) -> dict[str, Image]:
        if self._session is None:
            raise RuntimeError("the OS resources were not read while their session was there")
        wanted = select(*_COLUMNS).where(OSResource.project_uuid == self._project_uuid)
        return {row.id: Image(*row) for row in self._session.execute(wanted)}

    @cached_property
    def _by_image(self) -> dict[tuple[str, str], Image]:
        return {(image.profile_name, image.image_id): image for image in self}

    @cached_property
    def _newest(self) -> dict[str, tuple[VersionKey, Image]]:
        ranked: defaultdict[str, list[tuple[VersionKey, str, Image]]] = defaultdict(list)
        for image in self:
            if may_be_offered(image):
                rank = (version_key(image.image_id), image.image_id, image)
                ranked[image.profile_name].append(rank)
        best = {profile: max(ranks, key=lambda rank: rank[:2]) for profile, ranks in ranked.items()}
        return {profile: (key, image) for profile, (key, _, image) in best.items()}
