# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from puad.config import HealthSettings, PathSettings, Settings
from puad.core.errors import Code, ConfigError
from puad.health.assignment import assigned_probes
from puad.health.probe import Boot, Deadline, Probe, ProbeError
from puad.health.probes import known


def _boot(probes: Path, *, required: tuple[str, ...] = (), wanted: tuple[str, ...] = ()) -> Boot:
    settings = replace(
        Settings(),
        health=HealthSettings(required=required, wanted=wanted),
        paths=PathSettings(probes=probes),
    )
    return Boot(settings, None)


def test_known_has_every_probe_that_the_default_configuration_names() -> None:
    health = HealthSettings()
    assert set(known()) == {*health.required, *health.wanted}


def test_registry_second_probe_of_one_name_is_a_bug() -> None:
    known()
    with pytest.raises(TypeError, match="two probes disk"):

        class Again(Probe, name="disk"):
            def run(self, deadline: Deadline) -> str:
                raise NotImplementedError


def test_assigned_probes_are_the_configured_and_the_integrators(tmp_path: Path) -> None:
    for name in ("required/10-net", "wanted/10-net", "wanted/20-gpu"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text('#!/bin/sh\necho "$PUAD_SLOT"\n')
        path.chmod(0o755)
    boot = _boot(tmp_path, required=("disk", "memory"), wanted=("image",))
    probes = assigned_probes(boot, {"PUAD_SLOT": "b"})
    assert [(probe.name, probe.required) for probe in probes] == [
        ("disk", True),
        ("memory", True),
        ("image", False),
        ("required/10-net", True),
        ("wanted/10-net", False),
        ("wanted/20-gpu", False),
    ]
    assert probes[3].run(Deadline(time.monotonic() + 60)) == "b"


def test_assigned_probes_unknown_name_is_an_error_with_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no probe dsk; did you mean disk") as caught:
        assigned_probes(_boot(tmp_path, required=("dsk",)), {})
    assert caught.value.code is Code.CONFIG_INVALID
    with pytest.raises(ConfigError, match="no probe zzz; there are agent, disk"):
        assigned_probes(_boot(tmp_path, wanted=("zzz",)), {})


def test_assigned_probes_folder_that_cannot_be_read_is_a_failed_probe(tmp_path: Path) -> None:
    (tmp_path / "required").touch()
    (probe,) = assigned_probes(_boot(tmp_path), {})
    assert (probe.name, probe.required) == ("probes.d/required", True)
    with pytest.raises(ProbeError, match="cannot be read"):
        probe.run(Deadline(time.monotonic() + 60))
