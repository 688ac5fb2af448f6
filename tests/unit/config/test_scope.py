# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from puad.config import STANDARD_DIRS, Settings, load
from puad.config.scope import STANDARD
from puad.config.validate import KINDS
from puad.core.errors import ConfigError

_IMAGE, _BOOT, _INTEGRATOR, _NODE = STANDARD_DIRS


def _load(folder: Path, text: str, standard: Path) -> Settings:
    """What a file says that stands in a folder with the scope of a standard one."""
    (folder / "10.toml").write_text(text)
    return load([folder], {folder: STANDARD[standard]}).settings


@pytest.mark.parametrize("section", sorted(KINDS.keys() - {"server", "release", "node"}))
def test_load_of_the_node_folder_refuses_what_judges_or_places_puad(
    tmp_path: Path, section: str
) -> None:
    key = next(iter(KINDS[section]))
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, f"{section}.{key} = 1", _NODE)
    assert caught.value.on == str(tmp_path / "10.toml")
    assert caught.value.what.startswith(f"[{section}] may not be set here, only in /usr/lib/puad/")
    assert caught.value.what.endswith(" or /etc/puad/config.d")


@pytest.mark.parametrize("section", ["paths", "health"])
def test_load_of_the_folder_of_this_boot_refuses_what_chooses_the_probes(
    tmp_path: Path, section: str
) -> None:
    with pytest.raises(ConfigError, match=r"only in /usr/lib/puad/config\.d or /etc/puad/config"):
        _load(tmp_path, f"[{section}]", _BOOT)


def test_load_of_the_folder_of_this_boot_takes_the_rest(tmp_path: Path) -> None:
    assert _load(tmp_path, "update.tries = 5", _BOOT).update.tries == 5


@pytest.mark.parametrize("standard", [_IMAGE, _INTEGRATOR, Path("/some/other/folder")])
def test_load_of_a_folder_that_puad_cannot_write_takes_everything(
    tmp_path: Path, standard: Path
) -> None:
    (tmp_path / "10.toml").write_text('health.required = ["disk"]\npaths.run = "/run/other"')
    scopes = {tmp_path: STANDARD[standard]} if standard in STANDARD else STANDARD
    settings = load([tmp_path], scopes).settings
    assert settings.health.required == ("disk",)
    assert settings.paths.run == Path("/run/other")


_OF_A_NEWER_RELEASE = """
colour = "red"
[server]
url = "https://mm.example"
proxy_url = "https://proxy.example"
[release]
url = "https://releases.example"
[node]
guid = "c0ffee00-1111-2222-3333-444455556666"
name = "edge-17"
[telemetry]
url = "https://telemetry.example"
"""


def test_load_of_the_node_folder_passes_over_names_of_a_newer_release(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = _load(tmp_path, _OF_A_NEWER_RELEASE, _NODE)
    assert settings.server.url == "https://mm.example"
    assert settings.release.url == "https://releases.example"
    assert settings.node.guid == "c0ffee00-1111-2222-3333-444455556666"
    path = tmp_path / "10.toml"
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: there is no section [colour]; it is passed over",
        f"{path}: there is no key proxy_url in [server]; it is passed over",
        f"{path}: there is no key name in [node]; it is passed over",
        f"{path}: there is no section [telemetry]; it is passed over",
    ]


@pytest.mark.parametrize("standard", [_IMAGE, _BOOT, _INTEGRATOR])
def test_load_of_any_other_folder_refuses_unknown_names(tmp_path: Path, standard: Path) -> None:
    with pytest.raises(ConfigError, match="there is no section"):
        _load(tmp_path, "telemetry.url = 1", standard)


@pytest.mark.parametrize("text", ["server.poll_interval_s = 0", "server = 1"])
def test_load_of_the_node_folder_still_refuses_wrong_values(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="server"):
        _load(tmp_path, text, _NODE)


def test_load_of_unknown_names_elsewhere_is_not_excused_by_the_node_folder(tmp_path: Path) -> None:
    image, node = tmp_path / "image", tmp_path / "node"
    for folder in (image, node):
        folder.mkdir()
        (folder / "10.toml").write_text("node.name = 'x'")
    with pytest.raises(ConfigError) as caught:
        load([image, node], {node: STANDARD[_NODE]})
    assert caught.value.on == str(image / "10.toml")
