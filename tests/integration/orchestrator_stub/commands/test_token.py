# SPDX-License-Identifier: Apache-2.0
"""`token`: told once, for one project, with an end, and revoked by name or id."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from orchestrator_stub.access.access import Access
from orchestrator_stub.access.callers import Caller
from orchestrator_stub.commands.command import open_database
from orchestrator_stub.data_directory import DataDirectory
from orchestrator_stub.errors import OrchestratorError
from orchestrator_stub.vocabulary import Scope
from tests.integration.orchestrator_stub.commands.given import Facts, Told


def caller_of(directory: DataDirectory, token: str, in_s: int = 0) -> Caller | None:
    with open_database(directory) as database:
        try:
            return Access(database, "o" * 43).bearer(f"Bearer {token}", int(time.time()) + in_s)
        except OrchestratorError:
            return None


def test_token_is_told_once_and_opens_its_project(directory: DataDirectory, facts: Facts) -> None:
    project = facts("project", "add", "second")["project_uuid"]
    made = facts("token", "add", "ci", "--project", "second", "--scope", "write")
    assert made["token"].startswith("puad_")
    caller = caller_of(directory, made["token"])
    assert caller is not None
    assert caller.scopes == {project: Scope.WRITE}
    listed = facts("token", "list", "--project", "second")
    assert made["token"] not in str(listed)
    (row,) = listed["tokens"]
    assert (row["id"], row["name"], row["scope"]) == (made["id"], "ci", "write")
    assert row["expires_at"] == made["expires_at"]
    assert row["expired"] is False
    assert facts("token", "list")["tokens"] == []


def test_token_reads_only_and_lives_for_a_year_unless_more_is_asked_for(
    directory: DataDirectory, facts: Facts
) -> None:
    made = facts("token", "add", "ci")
    assert made["scope"] == "read"
    assert caller_of(directory, made["token"], 364 * 86_400) is not None
    assert caller_of(directory, made["token"], 366 * 86_400) is None
    short = facts("token", "add", "short", "--expires", "1h")
    assert caller_of(directory, short["token"], 3700) is None


@pytest.mark.parametrize("by", ["name", "id"])
def test_revoked_token_opens_nothing(
    directory: DataDirectory, facts: Facts, told: Told, by: str
) -> None:
    made = facts("token", "add", "ci")
    assert facts("token", "revoke", made[by])["id"] == made["id"]
    assert caller_of(directory, made["token"]) is None
    assert told("token", "revoke", made[by])[0] == os.EX_NOINPUT


def test_token_of_another_project_is_not_revoked(facts: Facts, told: Told) -> None:
    facts("project", "add", "second")
    made = facts("token", "add", "ci")
    for word in (made["id"], "ci"):
        assert told("token", "revoke", word, "--project", "second")[0] == os.EX_NOINPUT
    assert len(facts("token", "list")["tokens"]) == 1


def test_token_goes_into_a_file_that_only_its_owner_reads(
    directory: DataDirectory, told: Told, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    status, out, _ = told("token", "add", "ci", "--token-file", str(file))
    token = file.read_text().strip()
    assert status == 0
    assert token.startswith("puad_")
    assert token not in out
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert caller_of(directory, token) is not None


def test_lines_for_people_tell_the_token_last(told: Told) -> None:
    _, out, _ = told("token", "add", "ci")
    *lines, token = out.splitlines()
    assert token.startswith("puad_")
    assert "ci may read project default until" in lines[0]
    listed = told("token", "list")[1]
    assert "ci  may read, until" in listed
    assert token not in listed


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (("add", "a b"), os.EX_USAGE, "'a b'"),
        (("add", "ci", "--expires", "99999d"), os.EX_USAGE, "ten years"),
        (("add", "ci", "--project", "none"), os.EX_NOINPUT, "project list"),
        (("revoke", "none"), os.EX_NOINPUT, "there is no token none"),
        (("add", "ci", "--token-file", "/absent/token"), os.EX_NOPERM, "/absent/token"),
    ],
)
def test_what_cannot_be_done_is_said(
    facts: Facts, told: Told, words: tuple[str, ...], status: int, says: str
) -> None:
    got, out, err = told("token", *words)
    assert (got, out) == (status, "")
    assert says in err
    assert facts("token", "list")["tokens"] == []


def test_second_token_of_a_name_is_refused(facts: Facts, told: Told) -> None:
    facts("token", "add", "ci")
    status, _, err = told("token", "add", "ci")
    assert status == os.EX_CANTCREAT
    assert "revoke it" in err
