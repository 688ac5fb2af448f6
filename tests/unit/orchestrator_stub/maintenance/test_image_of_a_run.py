# SPDX-License-Identifier: Apache-2.0
"""The image of a run is the one that it has brought, whatever was wanted when it began."""

from __future__ import annotations

import pytest

from orchestrator_stub.vocabulary import Indication
from tests.unit.orchestrator_stub.maintenance.fleet import Edge, Fleet


def test_updated_to_another_image_than_was_wanted_is_a_run_to_that_image(
    fleet: Fleet, edge: Edge
) -> None:
    fleet.publish("3.0")
    fleet.link(edge, fleet.policy())
    fleet.poll(edge, "STARTED", os_image_id="1.0")
    assert fleet.run(edge).image_id == "3.0"
    fleet.poll(edge, "UPDATED", os_image_id="2.0")
    run = fleet.run(edge)
    assert (run.status, run.image_id, run.policy_id) == ("Update completed", "2.0", None)
    assert fleet.instance(edge).image_id == "2.0"


def test_withdrawn_image_that_was_never_run_did_not_complete(fleet: Fleet, edge: Edge) -> None:
    """The older image is offered again at once, and comes before the node has said more."""
    fleet.link(edge, fleet.policy())
    fleet.publish("3.0")
    fleet.poll(edge, "DOWNLOADING", os_image_id="1.0")
    fleet.withdraw("3.0")
    fleet.sweep()
    assert fleet.run(edge).status == "Cancelled: image 3.0 was withdrawn: it breaks"
    fleet.later()
    fleet.poll(edge, "STARTED", os_image_id="1.0")
    fleet.poll(edge, "UPDATED", os_image_id="2.0")
    assert [run.image_id for run in fleet.runs(edge) if run.status == "Update completed"] == ["2.0"]


@pytest.mark.parametrize("image", ["1.0", "9.9"])
def test_rejected_updated_is_still_a_run_to_what_was_wanted(
    fleet: Fleet, edge: Edge, image: str
) -> None:
    fleet.link(edge, fleet.policy())
    fleet.poll(edge, "STARTED", os_image_id="1.0")
    fleet.poll(edge, "UPDATED", os_image_id=image)
    run = fleet.run(edge)
    assert (run.status_indicator, run.image_id) == (Indication.ERROR, "2.0")


@pytest.mark.parametrize("status", ["UPDATED", "UP_TO_DATE"])
def test_run_by_hand_whose_image_shows_at_its_end_is_completed(
    fleet: Fleet, edge: Edge, status: str
) -> None:
    fleet.poll(edge, "STARTED", os_image_id="1.0")
    assert fleet.run(edge).image_id == ""
    fleet.poll(edge, status, os_image_id="2.0")
    assert (fleet.run(edge).status, fleet.run(edge).image_id) == ("Update completed", "2.0")
