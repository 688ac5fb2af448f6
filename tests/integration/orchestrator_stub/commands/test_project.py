# SPDX-License-Identifier: Apache-2.0
"""`project`, and what `enrol` does in any of them."""

from __future__ import annotations

import os
import uuid

import pytest

from orchestrator_stub.access import node_token
from orchestrator_stub.data_directory import DataDirectory
from tests.integration.orchestrator_stub.commands.given import Facts, Told

GUID = "11111111-2222-3333-4444-555555555555"
ENROL = ("enrol", "edge-1", "--guid", GUID, "--profile", "edge")


def test_project_is_made_and_listed(facts: Facts, told: Told) -> None:
    made = facts("project", "add", "second")
    rows = facts("project", "list")["projects"]
    assert [row["project"] for row in rows] == ["default", "second"]
    assert rows[1] == made
    assert made["project_uuid"] in told("project", "list")[1]


@pytest.mark.parametrize("name", ["", "a/b", "a b", "../x", "x" * 65, GUID, GUID.replace("-", "")])
def test_project_with_a_name_that_could_be_mistaken_is_refused(
    facts: Facts, told: Told, name: str
) -> None:
    status, _, err = told("project", "add", name)
    assert status == os.EX_USAGE
    assert repr(name) in err
    assert len(facts("project", "list")["projects"]) == 1


def test_project_twice_is_refused(told: Told) -> None:
    assert told("project", "add", "default")[0] == os.EX_CANTCREAT


def test_same_guid_may_be_enrolled_in_two_projects(
    directory: DataDirectory, facts: Facts, told: Told
) -> None:
    second = facts("project", "add", "second")["project_uuid"]
    first = facts("project", "list")["projects"][0]["project_uuid"]
    for named, project_uuid in (("default", first), (second, second), ("second", second)):
        if named == "second":
            assert told(*ENROL, "--project", named)[0] == os.EX_CANTCREAT
            continue
        told_facts = facts(*ENROL, "--project", named)
        identity = node_token.verify(directory.secret_key(), f"Bearer {told_facts['token']}")
        assert (identity.project_uuid, identity.subject) == (project_uuid, GUID)
        assert told_facts["project"] in {"default", "second"}


def test_renewal_is_of_the_host_in_that_project(facts: Facts, told: Told) -> None:
    facts("project", "add", "second")
    facts(*ENROL)
    assert told(*ENROL, "--renew", "--project", "second")[0] == os.EX_NOINPUT
    assert facts(*ENROL, "--renew", "--project", "default")["renewed"] is True


def test_enrolment_in_a_project_that_is_not_there_says_so(told: Told) -> None:
    status, _, err = told(*ENROL, "--project", str(uuid.uuid4()))
    assert status == os.EX_NOINPUT
    assert "project list" in err
