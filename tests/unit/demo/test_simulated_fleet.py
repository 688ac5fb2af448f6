# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

from tests.demo.simulated_fleet import BROKEN, HOSTS, SITES, VERSIONS, missing


def seen() -> list[dict[str, Any]]:
    """The hosts as REST lists them once all is as it should be, and the real one."""
    hosts = [
        {
            "name": host.name,
            "hostStatus": "No Connection" if host.silent_for_s else "Running",
            "instance": {
                "updateStatus": host.shows,
                "quarantine": ["ab" * 32] if host.policy == BROKEN else [],
            },
        }
        for host in HOSTS
    ]
    return [{"name": "edge-node-1"}, *hosts]


def test_there_are_twenty_and_no_two_of_one_name() -> None:
    assert len({host.name for host in HOSTS}) == len(HOSTS) == 20


def test_every_site_and_every_profile_has_some_and_each_runs_what_is_published() -> None:
    assert {host.site for host in HOSTS} == set(SITES)
    assert {host.profile for host in HOSTS} == set(VERSIONS)
    assert all(host.image_id in VERSIONS[host.profile] for host in HOSTS)


def test_nothing_is_missing_when_each_shows_what_it_should() -> None:
    assert missing(seen()) == []


def test_host_that_is_not_listed_or_shows_something_else_is_missing() -> None:
    hosts = seen()
    by_name = {host["name"]: host for host in hosts}
    by_name["till-01"]["instance"]["updateStatus"] = "Updating"
    by_name["till-06"]["instance"]["quarantine"] = ["ab" * 32]
    by_name["kiosk-03"]["hostStatus"] = "Unknown"
    hosts.remove(by_name["cabinet-km140"])
    assert missing(hosts) == ["till-01", "till-06", "kiosk-03", "cabinet-km140"]
