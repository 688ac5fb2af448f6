# SPDX-License-Identifier: Apache-2.0
"""The decision: is the offered image one for this node?

The questions are asked in this order, and the first that holds decides:

| decision | when |
|---|---|
| NONE | nothing is offered: there is no policy |
| WRONG_PROFILE | the offered profile is not the node's, or the node does not know its own |
| ALREADY_BOOTED | the image id is the booted one, and so is the file hash where it is known |
| QUARANTINED | the file hash is quarantined here: that image was rolled back |
| BELOW_FLOOR | the image id is an older version than the floor |
| INSTALL | none of these |

The image id of the booted root comes from its os-release and outranks a stored file hash
(invariant 4), so an equal hash under another image id is no proof. An equal image id with another
hash is a rebuilt image, and is installed. Older than the booted image is no reason to refuse:
TARGET may go down to the floor; that LATEST never does is the server's choice of the offer.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from puad.core.model import Offer
from puad.core.version import compare_versions


class Decision(StrEnum):
    """What to do about an offer."""

    NONE = "none"
    WRONG_PROFILE = "wrong-profile"
    ALREADY_BOOTED = "already-booted"
    QUARANTINED = "quarantined"
    BELOW_FLOOR = "below-floor"
    INSTALL = "install"


def decide(
    offer: Offer | None,
    *,
    profile: str,
    booted_image_id: str,
    booted_file_hash: str | None,
    quarantine: Collection[str],
    floor: str | None,
) -> Decision:
    """What to do about an offer; see the table above.

    Args:
        offer: What the maintenance manager wants; None without a policy.
        profile: IMAGE_ID of the booted root.
        booted_image_id: IMAGE_VERSION of the booted root.
        booted_file_hash: The file hash that the booted image was installed from, when known.
        quarantine: File hashes that are not tried again.
        floor: The oldest version that may be installed; None when there is no floor yet.
    """
    if offer is None:
        return Decision.NONE
    if not profile or offer.profile_name != profile:
        return Decision.WRONG_PROFILE
    if offer.image_id == booted_image_id and booted_file_hash in (None, offer.file_hash):
        return Decision.ALREADY_BOOTED
    if offer.file_hash in quarantine:
        return Decision.QUARANTINED
    if floor is not None and compare_versions(offer.image_id, floor) < 0:
        return Decision.BELOW_FLOOR
    return Decision.INSTALL
