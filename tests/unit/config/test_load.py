# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
import dataclasses
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from puad.client.transport import require_secure
from puad.config import STANDARD_DIRS, Settings, add_dir_option, load
from puad.config.validate import KINDS, SECTIONS
from puad.core.errors import ConfigError, PuadError


def _write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path


def _load(folder: Path, text: str) -> Settings:
    _write(folder, "10.toml", text)
    return load([folder]).settings


def test_load_without_files_gives_the_defaults() -> None:
    loaded = load([])
    assert loaded.settings == Settings()
    assert set(loaded.origins.values()) == {"default"}


def test_load_defaults_obey_their_own_kinds() -> None:
    # a default that its key would refuse could not be written back by an integrator
    for entry in load([]).entries():
        section, key = entry.key.split(".")
        KINDS[section][key].read(entry.value)


def test_load_later_folder_wins_key_by_key_even_with_the_same_file_name(tmp_path: Path) -> None:
    first = _write(tmp_path / "usr", "50.toml", "[server]\ntimeout_s = 5\npoll_interval_s = 7\n")
    second = _write(tmp_path / "etc", "50.toml", "[server]\ntimeout_s = 9\n")
    loaded = load([tmp_path / "usr", tmp_path / "etc"])
    assert loaded.settings.server.timeout_s == 9
    assert loaded.settings.server.poll_interval_s == 7
    assert loaded.origins["server.timeout_s"] == str(second)
    assert loaded.origins["server.poll_interval_s"] == str(first)
    assert loaded.origins["server.tls_min"] == "default"


def test_load_folder_outranks_file_name(tmp_path: Path) -> None:
    _write(tmp_path / "usr", "99.toml", "[update]\ntries = 2\n")
    _write(tmp_path / "etc", "10.toml", "[update]\ntries = 4\n")
    assert load([tmp_path / "usr", tmp_path / "etc"]).settings.update.tries == 4


def test_load_within_a_folder_the_later_name_wins(tmp_path: Path) -> None:
    _write(tmp_path, "20.toml", '[health]\nrequired = ["disk"]\n')
    assert _load(tmp_path, '[health]\nrequired = ["agent"]\n').health.required == ("disk",)


def test_load_reads_the_node_folder_last() -> None:
    assert STANDARD_DIRS[-1] == Path("/var/lib/puad/node.d")


_GOOD = {
    'server.url="https://mm.example:8443/edge/"': "https://mm.example:8443/edge",
    'server.url="http://[::1]:8080"': "http://[::1]:8080",
    'release.url="http://localhost:8080"': "http://localhost:8080",
    'server.url=""': "",
    'server.ca_file="/etc/puad/ca.pem"': "/etc/puad/ca.pem",
    'server.tls_min="1.2"': "1.2",
    'node.guid="C0FFEE00-1111-2222-3333-444455556666"': "c0ffee00-1111-2222-3333-444455556666",
    'paths.persist="/srv/puad"': Path("/srv/puad"),
    "update.tries=1": 1,
    "update.tries=9": 9,
    "health.wanted=[]": (),
    "limits.redirects=0": 0,
    "pace.bandwidth_bytes_s=0": 0,
    "pace.bandwidth_bytes_s=1024": 1024,
    "pace.busy_write_bytes_s=0": 0,
}


@pytest.mark.parametrize("line", _GOOD)
def test_load_accepts_what_a_key_allows(tmp_path: Path, line: str) -> None:
    section, key = line.split("=", maxsplit=1)[0].split(".")
    settings = _load(tmp_path, line)
    assert getattr(getattr(settings, section), key) == _GOOD[line]


_REFUSED = [
    "update.tries=0",
    "update.tries=10",
    "update.tries=true",
    "update.tries=3.0",
    'update.tries="3"',
    "update.tries=[3]",
    "server.poll_interval_s=0",
    "server.poll_interval_s=-1",
    'server.tls_min="1.1"',
    "server.tls_min=1.3",
    "server.url=1",
    'server.url="mm.example"',
    'server.url="ftp://mm.example"',
    'server.url="http://mm.example"',
    'server.url="http://10.0.0.1:8080"',
    'server.url="http://localhost.example.org"',
    'release.url="http://mm.example"',
    'server.url="https://"',
    'server.url="https://mm.example:port"',
    'server.url="https://mm.example/?a=1"',
    'server.url="https://mm.example/#a"',
    'server.url="https://mm example"',
    'server.url="https://user@mm.example"',
    'server.token_file="token"',
    'server.token_file=""',
    'server.ca_file="ca.pem"',
    'paths.persist="/var/lib/../lib"',
    'paths.persist="/a\\u0000"',
    f'paths.persist="/{"a" * 2000}"',
    'node.guid="c0ffee"',
    "node.guid=7",
    "update.synchronised_clock=1",
    'health.required="disk"',
    'health.required=["disk", "disk"]',
    'health.required=["../disk"]',
    "health.required=[1]",
    f"health.required={json.dumps([f'p{n}' for n in range(65)])}",
    "limits.answer_bytes=0",
    "limits.history_entries=1000000",
    "pace.bandwidth_bytes_s=1023",
    "pace.bandwidth_bytes_s=-1",
    "pace.bandwidth_bytes_s=0.0",
    "pace.bandwidth_bytes_s=false",
    'pace.bandwidth_bytes_s="50Mbit"',
    "pace.write_bytes_s=1048575",
    "pace.pause_above_io_pressure_percent=101",
]


@pytest.mark.parametrize("line", _REFUSED)
def test_load_refuses_and_names_file_key_and_what_is_allowed(tmp_path: Path, line: str) -> None:
    name = line.split("=", maxsplit=1)[0]
    section, key = name.split(".")
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, line)
    assert caught.value.on == str(tmp_path / "10.toml")
    assert caught.value.what.startswith(f"{name} must be {KINDS[section][key].allowed}")


@pytest.mark.parametrize(
    "url",
    [
        "https://mm.example",
        "HTTPS://mm.example",
        "http://localhost:80",
        "HTTP://LocalHost:1",
        "http://127.255.0.9",
        "http://127.0.0.1.example.org",
        "http://2130706433",
        "http://0.0.0.0",
        "http://[::]",
        "http://example.org\\.localhost",
        "http:///x",
    ],
)
def test_load_accepts_exactly_the_servers_that_would_be_asked(tmp_path: Path, url: str) -> None:
    def accepted(check: Callable[[], object]) -> bool:
        try:
            check()
        except PuadError:
            return False
        return True

    would_be_asked = accepted(lambda: require_secure(url))
    assert accepted(lambda: _load(tmp_path, f"server.url={json.dumps(url)}")) is would_be_asked


def test_load_refused_url_does_not_print_its_password(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, 'server.url="https://me:hunter2@mm.example"')
    assert "hunter2" not in str(caught.value)


def test_load_refused_value_is_shown_shortened(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, f'update.tries="{"9" * 500}"')
    assert "not '999" in caught.value.what
    assert len(caught.value.what) < 200


_UNKNOWN = {
    "sever.url='x'": "no section [sever]; did you mean server?",
    "zzz.url='x'": "no section [zzz]",
    "server.pol_interval_s=1": "no key pol_interval_s in [server]; did you mean poll_interval_s?",
    "server.tries=3": "no key tries in [server]; did you mean the one in [update]?",
    "server.zzz=3": "no key zzz in [server]",
    "tries=3": "the key tries stands in no section",
}


@pytest.mark.parametrize("line", _UNKNOWN)
def test_load_unknown_name_is_an_error_with_a_suggestion(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, line)
    assert caught.value.what.endswith(_UNKNOWN[line])
    assert caught.value.on == str(tmp_path / "10.toml")


_AT_ODDS = {
    "limits.backoff_first_s=10\nlimits.backoff_most_s=5": "limits.backoff_first_s must not exceed",
    "limits.probe_tail_bytes=8192\nlimits.probe_output_bytes=4096": "limits.probe_tail_bytes",
    "update.retry_first_s=9\nupdate.retry_most_s=8": "update.retry_first_s must not exceed",
    "health.agent_stable_s=60": "health.agent_stable_s must be less than",
    "update.health_deadline_s=59": "health.probe_deadline_s must not exceed",
    "pace.bandwidth_bytes_s=2000\nlimits.min_rate_bytes_s=2001": (
        "pace.bandwidth_bytes_s must not be less than limits.min_rate_bytes_s"
    ),
    'health.wanted=["disk"]': "health.wanted must not name",
}


@pytest.mark.parametrize("text", _AT_ODDS)
def test_load_values_at_odds_are_refused_naming_the_files(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, text)
    assert caught.value.what.startswith(_AT_ODDS[text])
    assert caught.value.on == str(tmp_path / "10.toml")


def test_entries_are_json_and_cover_every_field(tmp_path: Path) -> None:
    path = _write(tmp_path, "10.toml", '[health]\nrequired = ["disk"]\n')
    entries = {entry.key: entry for entry in load([tmp_path]).entries()}
    expected = {
        f"{section}.{field.name}"
        for section, kind in SECTIONS.items()
        for field in dataclasses.fields(kind)
    }
    assert set(entries) == expected
    json.dumps([dataclasses.asdict(entry) for entry in entries.values()])
    assert entries["health.required"].value == ["disk"]
    assert entries["health.required"].origin == str(path)
    assert entries["paths.persist"].value == "/var/lib/puad"


def test_entries_written_back_as_toml_give_the_same_settings(tmp_path: Path) -> None:
    lines = [f"{entry.key} = {json.dumps(entry.value)}" for entry in load([]).entries()]
    text = "\n".join(lines)
    document: dict[str, Any] = tomllib.loads(text)
    assert document
    assert _load(tmp_path, text) == Settings()


def test_dir_option_may_be_repeated_and_replaces_the_standard_folders() -> None:
    parser = argparse.ArgumentParser()
    add_dir_option(parser)
    args = parser.parse_args(["--config-dir", "/a", "--config-dir", "/b"])
    assert (args.config_dir or STANDARD_DIRS) == [Path("/a"), Path("/b")]
    assert parser.parse_args([]).config_dir is None
