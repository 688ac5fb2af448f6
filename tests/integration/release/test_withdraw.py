# SPDX-License-Identifier: Apache-2.0
"""A withdrawn release is gone at once, and cannot come back under its version."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.release.conftest import Client, Site


def catalogue(site: Site, client: Client) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(client.fetch(site.repo, "profiles.json"))
    return document


def test_withdraw_release_is_gone_from_targets_and_named_with_its_reason(site: Site) -> None:
    site.release("1")
    site.release("2", seed=2)
    client = site.client()
    client.targets(site.repo)
    answer = site.run("withdraw", "1", "--reason", "eats disks")
    assert answer["changed"] is True
    assert answer["was_published"] is True
    targets = client.targets(site.repo)
    assert not [path for path in targets if path.startswith("edge/1/")]
    assert "edge/2/edge-2.raw.zst" in targets
    document = catalogue(site, client)
    assert document["profiles"] == ["edge/2/profile.yaml"]
    [entry] = document["withdrawn"]
    assert (entry["profile"], entry["version"], entry["reason"]) == ("edge", "1", "eats disks")
    assert entry["at"].endswith("Z")


def test_withdraw_keeps_files_unless_they_are_to_be_deleted(site: Site) -> None:
    site.release("1")
    folder = site.repo / "targets/edge/1"
    site.run("withdraw", "1", "--reason", "x")
    assert list(folder.iterdir())
    answer = site.run("withdraw", "1", "--reason", "x", "--delete")
    assert answer["deleted"] is True
    assert answer["signed"] == {}
    assert not folder.exists()
    assert site.run("withdraw", "1", "--reason", "x", "--delete")["changed"] is False


def test_withdraw_leaves_other_staged_releases_staged(site: Site) -> None:
    site.release("1")
    site.add("2", seed=2)
    site.run("withdraw", "1", "--reason", "x")
    assert [one["version"] for one in site.run("status")["staged"]] == ["2"]
    assert set(site.client().targets(site.repo)) == {"profiles.json"}


def test_withdraw_staged_release_removes_it_without_signing(site: Site) -> None:
    site.add("1")
    answer = site.run("withdraw", "1", "--reason", "x")
    assert (answer["was_staged"], answer["was_published"]) == (True, False)
    assert answer["signed"] == {}
    assert site.run("status")["staged"] == []
    assert site.add("1")["changed"] is True


def test_withdraw_entry_survives_later_publications(site: Site) -> None:
    site.release("1")
    site.run("withdraw", "1", "--reason", "x")
    site.release("2", seed=2)
    assert [w["version"] for w in catalogue(site, site.client())["withdrawn"]] == ["1"]


def test_add_withdrawn_version_again_is_refused(site: Site) -> None:
    site.release("1")
    site.run("withdraw", "1", "--reason", "eats disks")
    image = site.image(size=20_000)
    error = site.run("add", image, "--profile", "edge", "--version", "1", expect=65)["error"]
    assert "eats disks" in error["what"]


def test_withdraw_version_of_several_profiles_asks_which(site: Site) -> None:
    site.release("1")
    site.release("1", profile="kiosk", seed=2)
    error = site.run("withdraw", "1", "--reason", "x", expect=64)["error"]
    assert "edge, kiosk" in error["hint"]
    site.run("withdraw", "1", "--profile", "kiosk", "--reason", "x")
    assert "edge/1/profile.yaml" in site.client().targets(site.repo)


def test_withdraw_unknown_version_is_refused(site: Site) -> None:
    site.release("1")
    assert (
        site.run("withdraw", "7", "--reason", "x", expect=65)["error"]["code"] == "release-unknown"
    )
    site.run("withdraw", "1", "--profile", "kiosk", "--reason", "x", expect=65)


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines", "x" * 201])
def test_withdraw_reason_that_is_no_short_line_is_refused(site: Site, reason: str) -> None:
    site.release("1")
    assert site.run("withdraw", "1", "--reason", reason, expect=64)["error"]["on"] == "--reason"
    assert "edge/1/profile.yaml" in site.client().targets(site.repo)
