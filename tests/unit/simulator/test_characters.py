# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import uuid

from tests.simulator.characters import Character, Characters, Flaw

GUIDS = [str(uuid.UUID(int=number)) for number in range(2000)]


def test_image_without_a_flaw_is_healthy_everywhere() -> None:
    characters = Characters({"3.0": Flaw(Character.DEAD)})
    assert {characters.on(guid, "2.0") for guid in GUIDS} == {Character.HEALTHY}


def test_flaw_of_every_node_shows_on_every_node() -> None:
    characters = Characters({"3.0": Flaw(Character.DEAD)})
    assert {characters.on(guid, "3.0") for guid in GUIDS} == {Character.DEAD}


def test_flaw_of_some_nodes_shows_on_that_share_and_on_the_same_each_time() -> None:
    characters = Characters({"3.0": Flaw(Character.UNHEALTHY, 0.25)})
    first = [characters.on(guid, "3.0") for guid in GUIDS]
    assert 0.2 < first.count(Character.UNHEALTHY) / len(GUIDS) < 0.3
    assert [characters.on(guid, "3.0") for guid in GUIDS] == first


def test_flaws_of_two_images_hit_different_nodes() -> None:
    flaw = Flaw(Character.UNHEALTHY, 0.5)
    characters = Characters({"3.0": flaw, "4.0": flaw})
    both = [characters.on(guid, "3.0") == characters.on(guid, "4.0") for guid in GUIDS]
    assert 0.4 < sum(both) / len(both) < 0.6
