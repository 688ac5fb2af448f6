# SPDX-License-Identifier: Apache-2.0
"""The configuration that the packages bring is one that the programs take."""

from __future__ import annotations

import re
from pathlib import Path

from bootloader import config as boot_config
from bootloader.backend import Setup
from bootloader.backends import create
from bootloader.config import SLOT_NAMES
from bootloader.durable import Files
from puad import config

CONFIG = Path(__file__).parents[2] / "packaging/config"


def test_packaged_configuration_of_puad_is_the_defaults(tmp_path: Path) -> None:
    for name in ("00-image.toml", "50-local.toml"):
        (tmp_path / name).write_bytes((CONFIG / name).read_bytes())
    assert config.load([tmp_path]).settings == config.Settings()


def test_example_in_the_packaged_configuration_is_right(tmp_path: Path) -> None:
    lines = (CONFIG / "50-local.toml").read_text("utf-8").splitlines()
    example = [line.removeprefix("# ") for line in lines if re.match(r"# (\[|\w+ = )", line)]
    (tmp_path / "50-local.toml").write_text("\n".join(example), "utf-8")
    settings = config.load([tmp_path]).settings
    assert settings.server.url == "https://orchestrator.example.org:8443"
    assert settings.release.url == "https://orchestrator.example.org:8443/release"
    assert settings.server.ca_file == settings.release.ca_file == "/var/lib/puad/ca.crt"


def test_packaged_configuration_of_boot_control_names_a_back_end(tmp_path: Path) -> None:
    settings = boot_config.load(CONFIG / "bootloader.toml")
    setup = Setup(SLOT_NAMES, tmp_path, Files())
    assert create(settings.general.backend, setup, settings.backend)
    assert settings.files is None
    for wanted in ("root=PARTUUID={root_id}", "panic=", "systemd.machine_id={machine_id}"):
        assert wanted in settings.general.command_line
