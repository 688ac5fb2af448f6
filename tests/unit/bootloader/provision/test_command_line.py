# SPDX-License-Identifier: Apache-2.0
"""The command line of puad-provision: options that contradict each other, and its help."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import bootloader
from bootloader.provision.main import _parser
from tests.unit.bootloader.provision.given import SHIPPED, Given

_ROOT_ID = "0e5f6b0a-93f6-4b8e-8f6c-6a4be1a4c0de"


@pytest.mark.parametrize(
    "options",
    [
        ["--size", "4.5G"],
        ["--machine-id", "mine"],
        ["--seed", "x"],
        ["--uki", "/nonexistent"],
        ["--fact"],
        *(["--factory", option, "/x"] for option in ("--token", "--ca", "--node-config")),
        ["--factory", "--machine-id", "random"],
        ["--first-boot"],
    ],
)
def test_options_that_do_not_fit_are_wrong_usage(given: Given, options: list[str]) -> None:
    given.fails_usage("--root-image", "/x", "--linux", "/x", *options)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--root-image", "/x"], "give --linux, with or without --initrd, or --uki"),
        (["--root-image", "/x", "--initrd", "/x"], "give --linux"),
        (["--linux", "/x"], "a disk and --root-image are needed"),
        (["--root-image", "/x", "--uki", "/x", "--initrd", "/x"], "leave --initrd away"),
        (["--first-boot", "--size", "16G", "--wipe"], "leave --size, --wipe away"),
        (
            ["--root-image", "/x", "--uki", "/x", "--factory", "--root-id", _ROOT_ID],
            "leave --factory away",
        ),
    ],
)
def test_options_that_contradict_each_other_are_named(
    given: Given, capsys: pytest.CaptureFixture[str], options: list[str], why: str
) -> None:
    given.fails_usage(*options)
    assert why in capsys.readouterr().err


def test_help_has_a_text_for_every_option_and_the_exit_codes(
    given: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    for option in ("--help", "--version"):
        with pytest.raises(SystemExit) as caught:
            given.main(option)
        assert caught.value.code == os.EX_OK
    assert all(action.help for action in _parser()._actions)
    text = " ".join(capsys.readouterr().out.split())
    assert "77 it must be run as root" in text
    assert f"puad-provision {bootloader.__version__}" in text


def test_program_runs_from_a_checkout() -> None:
    command = [sys.executable, "-m", "bootloader.provision", "--version"]
    done = subprocess.run(command, cwd=SHIPPED.parents[1], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
