# SPDX-License-Identifier: Apache-2.0
"""Which OS profiles this orchestrator takes: by the version of their form, and by their name.

`1.2.3` takes that app version only, `~1.2.3` every 1.2.x from 1.2.3 on, an empty revision takes
all (protocol.md §4). Of the profiles, an empty set of names enables all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from puad.core.profile import OSProfile

_REVISION: Final = re.compile(r"~?(\d{1,9})\.(\d{1,9})\.(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Selection:
    """What is taken of that which is published.

    Attributes:
        revision: The app versions, as a revision rule.
        enabled_profiles: The names of the profiles; empty for all.
    """

    revision: str = ""
    enabled_profiles: frozenset[str] = frozenset()

    def takes(self, profile_name: str) -> bool:
        """Whether OS profiles of that name are enabled."""
        return not self.enabled_profiles or profile_name in self.enabled_profiles

    def objection(self, profile: OSProfile) -> str:
        """Why an enabled OS profile cannot be used here; empty when it can."""
        if is_compatible(profile.app_version, self.revision):
            return ""
        version = profile.app_version or "(none)"
        return f"app version {version} is not compatible with {self.revision}"


def is_revision(text: str) -> bool:
    """Whether a text is a revision rule, an empty one included."""
    return not text or _REVISION.fullmatch(text) is not None


def is_compatible(app_version: str, revision: str) -> bool:
    """Whether a profile's app version satisfies a revision rule."""
    if not revision:
        return True
    wanted, found = _REVISION.fullmatch(revision), _REVISION.fullmatch(app_version)
    if wanted is None or found is None or app_version.startswith("~"):
        return False
    least, version = tuple(map(int, wanted.groups())), tuple(map(int, found.groups()))
    if not revision.startswith("~"):
        return version == least
    return version[:2] == least[:2] and version[2] >= least[2]
