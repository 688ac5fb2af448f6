# SPDX-License-Identifier: Apache-2.0
"""Who the simulated hosts of the demo are: where they stand, what they run, how they end up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

TILL: Final = "till-demo"
KIOSK: Final = "kiosk-demo"
VERSIONS: Final = {TILL: ("4.0", "4.1", "4.2", "4.3"), KIOSK: ("1.9", "1.10")}
BAD: Final = "4.2"

MUNICH, AUGSBURG = "Munich store 12", "Augsburg factory"
BERLIN, OSLO = "Berlin store 3", "Oslo roadside 7"
REGIONS: Final = {"Germany": "", "Bavaria": "Germany", "Berlin": "Germany", "Norway": ""}
SITES: Final = {MUNICH: "Bavaria", AUGSBURG: "Bavaria", BERLIN: "Berlin", OSLO: "Norway"}

NEWEST, HOLD, BROKEN = "newest of its profile", "tills stay at 4.1", f"tills to {BAD}"
HOUR_S: Final = 3600
_SECONDS: Final = (4.0, 12.0)
_TWENTY_MINUTES: Final = (1100.0, 1300.0)


@dataclass(frozen=True, slots=True)
class SimulatedHost:
    """One host: where it stands, what it runs, and what becomes of it.

    Attributes:
        name: Its name.
        site: Where it stands.
        image_id: What it runs at first.
        profile: Its OS profile.
        policy: The policy that is linked to it; empty for none.
        shows: The update status that an operator sees in the end.
        download_s: How long its download takes.
        is_cut_off: Whether the release service cannot be reached from there.
        silent_for_s: How long ago it reported last; 0 when it is there.
    """

    name: str
    site: str
    image_id: str
    profile: str = TILL
    policy: str = NEWEST
    shows: str = "No new updates available"
    download_s: tuple[float, float] = _SECONDS
    is_cut_off: bool = False
    silent_for_s: int = 0


HOSTS: Final = (
    SimulatedHost("till-01", MUNICH, "4.3"),
    SimulatedHost("till-02", MUNICH, "4.3"),
    SimulatedHost("till-03", MUNICH, "4.0"),
    SimulatedHost(
        "till-04", MUNICH, "4.1", shows="Downloading artifacts", download_s=_TWENTY_MINUTES
    ),
    SimulatedHost("till-05", MUNICH, "4.1", policy=BROKEN, shows="Update failed"),
    SimulatedHost("till-06", MUNICH, "4.1", shows="Update failed", is_cut_off=True),
    SimulatedHost("press-line-a", AUGSBURG, "4.1", policy=HOLD),
    SimulatedHost("press-line-b", AUGSBURG, "4.1", policy=HOLD),
    SimulatedHost("press-line-c", AUGSBURG, "4.0", policy=""),
    SimulatedHost("press-line-d", AUGSBURG, "4.3"),
    *(
        SimulatedHost(f"kiosk-{number:02}", BERLIN, image_id, KIOSK, policy)
        for number, image_id, policy in (
            (1, "1.10", NEWEST),
            (2, "1.10", NEWEST),
            (3, "1.9", ""),
            (4, "1.9", NEWEST),
            (5, "1.9", NEWEST),
            (6, "1.10", ""),
        )
    ),
    SimulatedHost("cabinet-km114", OSLO, "4.1"),
    SimulatedHost("cabinet-km118", OSLO, "4.1"),
    SimulatedHost("cabinet-km131", OSLO, "4.3"),
    SimulatedHost("cabinet-km140", OSLO, "4.1", silent_for_s=5 * HOUR_S),
)


def missing(hosts: list[dict[str, Any]]) -> list[str]:
    """Names of simulated hosts that do not show yet what they are to show.

    Args:
        hosts: The hosts as REST lists them.
    """
    known = {host["name"]: host for host in hosts}
    return [host.name for host in HOSTS if not _shows(host, known.get(host.name))]


def _shows(host: SimulatedHost, seen: dict[str, Any] | None) -> bool:
    if seen is None:
        return False
    instance = seen["instance"]
    state = "No Connection" if host.silent_for_s else "Running"
    quarantined = host.policy == BROKEN
    return bool(
        instance["updateStatus"] == host.shows
        and seen["hostStatus"] == state
        and bool(instance["quarantine"]) == quarantined
    )
