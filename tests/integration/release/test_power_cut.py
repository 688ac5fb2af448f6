# SPDX-License-Identifier: Apache-2.0
"""The publisher is cut off at each of its writes; a client sees a consistent repository always."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator_stub.release import commands
from orchestrator_stub.release.disk import Disk
from orchestrator_stub.release.roles import Role, plan_roles
from orchestrator_stub.release.withdrawal import Request
from tests.integration.release.conftest import Site, unseen

MOST_STEPS = 100
Command = Callable[[Site, Disk], object]


class PowerCut(BaseException):
    """Nothing after this happens."""


class CutDisk(Disk):
    """A disk whose power fails at one step: a temporary file is left half written."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def _step(self, path: Path) -> None:
        if self.left == 0:
            if path.parent.is_dir():
                path.with_name(f".{path.name}.tmp").write_bytes(b"half")
            raise PowerCut
        self.left -= 1

    def write(self, path: Path, data: bytes, *, mode: int = 0o644) -> None:
        self._step(path)
        super().write(path, data, mode=mode)

    def move(self, source: Path, target: Path) -> None:
        self._step(target)
        super().move(source, target)

    def copy(self, source: Path, target: Path, told: Callable[[int], object]) -> str:
        self._step(target)
        return super().copy(source, target, told)

    def remove(self, path: Path) -> None:
        self._step(path)
        super().remove(path)


def publish(site: Site, disk: Disk) -> Any:
    return commands.publish(site.publisher(disk), refresh=False)


def refresh(site: Site, disk: Disk) -> Any:
    return commands.publish(site.publisher(disk), refresh=True)


def withdraw(site: Site, disk: Disk) -> Any:
    return commands.withdraw(site.publisher(disk), Request("1", None, "bad", delete=False))


def rotate(role: Role) -> Command:
    def command(site: Site, disk: Disk) -> Any:
        return commands.rotate(site.publisher(disk), role, [])

    return command


def cut_everywhere(site: Site, command: Command, check: Callable[[Any, bool], None]) -> int:
    """Run a command from the same state again and again, cut off one step later each time.

    Args:
        site: What the command starts from.
        command: The command.
        check: Called with each site, and whether the command came to its end.
    """
    for steps in range(MOST_STEPS):
        copy = type(site)(site.folder.with_name(f"cut-{steps}"), site.now)
        shutil.copytree(site.folder, copy.folder)
        ended = False
        try:
            command(copy, CutDisk(steps))
            ended = True
        except PowerCut:
            pass
        check(copy, ended)
        shutil.rmtree(copy.folder)
        if ended:
            return steps
    pytest.fail("the command never ended")


@pytest.fixture
def loaded(make_site: Callable[[str], Site]) -> Site:
    """One release is published, one is staged; a client has seen the first."""
    site = make_site("site")
    site.release("1")
    site.add("2", seed=2)
    site.client("seen").fetch_all(site.repo)
    return site


def reading(site: Site) -> set[str]:
    """What both a new client and the one that has seen the first release can fetch."""
    fresh: set[str] = site.client("fresh").fetch_all(site.repo)
    assert fresh == reading_again(site)
    return fresh


def reading_again(site: Site) -> set[str]:
    """What the client can fetch that has seen the first release."""
    paths: set[str] = site.known_client("seen").fetch_all(site.repo)
    return paths


def later_release(site: Site) -> None:
    """The publisher goes on as if nothing had happened, and every client follows."""
    site.release("3", seed=3)
    assert "edge/3/edge-3.raw.zst" in reading_again(site)


@pytest.mark.parametrize("command", [publish, refresh])
def test_publish_cut_off_anywhere_shows_old_or_new(loaded: Site, command: Command) -> None:
    shown = []

    def check(site: Site, ended: bool) -> None:
        paths = reading(site)
        assert "edge/1/profile.yaml" in paths
        shown.append("edge/2/profile.yaml" in paths)
        site.run("publish")
        assert "edge/2/profile.yaml" in reading_again(site)
        assert site.run("status")["staged"] == []
        later_release(site)

    steps = cut_everywhere(loaded, command, check)
    assert steps >= 9, "three files, a catalogue, two states and three documents"
    assert shown == sorted(shown), "once shown, never hidden"
    assert shown[0] is False
    assert shown[-1] is True


def test_withdraw_cut_off_anywhere_shows_old_or_new(loaded: Site) -> None:
    shown = []

    def check(site: Site, ended: bool) -> None:
        shown.append("edge/1/profile.yaml" in reading(site))
        site.run("withdraw", "1", "--reason", "bad")
        assert "edge/1/profile.yaml" not in reading_again(site)
        later_release(site)

    cut_everywhere(loaded, withdraw, check)
    assert shown == sorted(shown, reverse=True)
    assert (shown[0], shown[-1]) == (True, False)


@pytest.mark.parametrize("role", list(Role))
def test_rotate_cut_off_anywhere_serves_every_client(loaded: Site, role: Role) -> None:
    def check(site: Site, ended: bool) -> None:
        assert "edge/1/profile.yaml" in reading(site)
        answer = site.run("rotate", role)
        for path in answer["old_keys"]:
            Path(path).unlink()
        assert "edge/1/profile.yaml" in reading_again(site)
        later_release(site)

    cut_everywhere(loaded, rotate(role), check)


@pytest.mark.parametrize("role", [Role.TARGETS, Role.TIMESTAMP])
def test_rotate_of_a_lost_key_cut_off_anywhere_is_finished_by_another_rotate(
    loaded: Site, role: Role
) -> None:
    for path in loaded.keys.glob(f"{role}-*"):
        path.unlink()

    def check(site: Site, ended: bool) -> None:
        site.run("rotate", role)
        later_release(site)

    cut_everywhere(loaded, rotate(role), check)


def test_export_cut_off_anywhere_leaves_no_half_folder_and_a_readable_repository(
    loaded: Site,
) -> None:
    def export(site: Site, disk: Disk) -> Any:
        stick = site.folder / "stick"
        return commands.export(
            site.publisher(disk), stick, (None, None), timedelta(days=30), unseen
        )

    def check(site: Site, ended: bool) -> None:
        stick = site.folder / "stick"
        if stick.exists():
            offline = site.client("offline")
            assert "edge/1/profile.yaml" in offline.fetch_all(stick)
            site.run("publish", "--refresh")
            assert "edge/1/profile.yaml" in offline.fetch_all(site.repo)
        else:
            assert not ended
            site.run("export", stick)
        assert "edge/1/profile.yaml" in reading(site)

    cut_everywhere(loaded, export, check)


def test_init_cut_off_anywhere_is_begun_anew(bare_site: Site) -> None:
    def init(site: Site, disk: Disk) -> Any:
        return commands.init(site.publisher(disk), plan_roles([], [], []))

    def check(site: Site, ended: bool) -> None:
        site.run("init", expect=65 if ended else 0)
        site.release("1")
        assert "edge/1/profile.yaml" in site.client().fetch_all(site.repo)

    origin = type(bare_site)(bare_site.folder / "site", bare_site.now)
    origin.folder.mkdir()
    cut_everywhere(origin, init, check)
