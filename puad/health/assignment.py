# SPDX-License-Identifier: Apache-2.0
"""Assignment: which probes this boot must pass, and which it should.

Built-in ones come from the configuration by name; the integrator's from the two folders of
`probes.d` in the image, as `required/NAME` and `wanted/NAME`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from typing import Final

from puad.core.errors import Code, ConfigError
from puad.health.executables import Executable, find_executables
from puad.health.probe import Boot, Deadline, Probe, ProbeError
from puad.health.probes import known
from puad.health.runner import Assigned

_FOLDERS: Final = {"required": True, "wanted": False}


def assigned_probes(boot: Boot, about: dict[str, str]) -> tuple[Assigned, ...]:
    """Every probe of this boot.

    Args:
        boot: What the built-in probes may know.
        about: What the integrator's may know, as environment variables.

    Raises:
        ConfigError: `CONFIG_INVALID`, when the configuration names a probe that does not exist.
    """
    health = boot.settings.health
    built_in = [
        *_built_in(boot, health.required, required=True),
        *_built_in(boot, health.wanted, required=False),
    ]
    return (*built_in, *_executables(boot, about))


def _built_in(boot: Boot, names: tuple[str, ...], *, required: bool) -> Iterator[Assigned]:
    probes = known()
    for name in names:
        if name not in probes:
            raise _unknown(name, probes)
        yield Assigned(name, required, probes[name](boot).run)


def _unknown(name: str, probes: dict[str, type[Probe]]) -> ConfigError:
    close = difflib.get_close_matches(name, probes, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(probes))}"
    return ConfigError(Code.CONFIG_INVALID, f"there is no probe {name}; {hint}", on="health")


def _executables(boot: Boot, about: dict[str, str]) -> Iterator[Assigned]:
    limits = boot.settings.limits
    for name, required in _FOLDERS.items():
        folder = boot.settings.paths.probes / name
        try:
            paths = find_executables(folder, limits)
        except ProbeError as error:
            yield Assigned(f"probes.d/{name}", required, _failing(error))
            continue
        for path in paths:
            yield Assigned(f"{name}/{path.name}", required, Executable(path, limits, about).run)


def _failing(error: ProbeError) -> Callable[[Deadline], str]:
    def run(_: Deadline) -> str:
        raise error

    return run
