# SPDX-License-Identifier: Apache-2.0
"""Validate: settings out of merged inputs, by the kinds in the types of the dataclasses.

An unknown section or key is an error: a misspelt key would silently leave a node on a default. The
message names the file, the key and what is allowed.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

from puad.config.kinds import Kind
from puad.config.merge import Input
from puad.config.settings import Settings
from puad.core.errors import Code, ConfigError

_SHOWN: Final = 60


def _kinds(section: type) -> dict[str, Kind]:
    hints = get_type_hints(section, include_extras=True)
    return {
        key: next(part for part in get_args(hint) if isinstance(part, Kind))
        for key, hint in hints.items()
        if get_origin(hint) is Annotated
    }


SECTIONS: Final[Mapping[str, type]] = get_type_hints(Settings)
KINDS: Final[Mapping[str, Mapping[str, Kind]]] = {
    name: _kinds(section) for name, section in SECTIONS.items()
}

# What a single key cannot know: (does it hold, the key to blame, what is asked of it).
_RULES: Final[tuple[tuple[Callable[[Settings], bool], str, str], ...]] = (
    (
        lambda s: s.limits.backoff_first_s <= s.limits.backoff_most_s,
        "limits.backoff_first_s",
        "must not exceed limits.backoff_most_s",
    ),
    (
        lambda s: s.update.retry_first_s <= s.update.retry_most_s,
        "update.retry_first_s",
        "must not exceed update.retry_most_s",
    ),
    (
        lambda s: not 0 < s.pace.bandwidth_bytes_s < s.limits.min_rate_bytes_s,
        "pace.bandwidth_bytes_s",
        "must not be less than limits.min_rate_bytes_s, or no download is fast enough",
    ),
    (
        lambda s: s.limits.probe_tail_bytes <= s.limits.probe_output_bytes,
        "limits.probe_tail_bytes",
        "must not exceed limits.probe_output_bytes",
    ),
    (
        lambda s: s.health.agent_stable_s < s.health.probe_deadline_s,
        "health.agent_stable_s",
        "must be less than health.probe_deadline_s, or the probe can never pass",
    ),
    (
        lambda s: s.health.probe_deadline_s <= s.update.health_deadline_s,
        "health.probe_deadline_s",
        "must not exceed update.health_deadline_s",
    ),
    (
        lambda s: not set(s.health.required) & set(s.health.wanted),
        "health.wanted",
        "must not name a probe that health.required names",
    ),
)


def validate(inputs: Mapping[tuple[str, str], Input]) -> Settings:
    """The settings that the inputs make; what they do not set has its default.

    Raises:
        ConfigError: When a key or section is unknown, or a value is not allowed.
    """
    values: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for (section, key), given in inputs.items():
        if why := unknown(section, key):
            raise ConfigError(Code.CONFIG_INVALID, why, on=given.origin)
        values[section][key] = _read(KINDS[section][key], f"{section}.{key}", given)
    settings = Settings(**{name: SECTIONS[name](**part) for name, part in values.items()})
    for holds, key, asked in _RULES:
        if not holds(settings):
            raise ConfigError(
                Code.CONFIG_INVALID, f"{key} {asked}", on=_origin_of_rule(key, asked, inputs)
            )
    return settings


def unknown(section: str, key: str | None = None) -> str:
    """Why a name is not known, in words, with what may have been meant; empty when it is known."""
    if section not in KINDS:
        return f"there is no section [{section}]{_did_you_mean(section, KINDS)}"
    if key is None or key in KINDS[section]:
        return ""
    hint = _did_you_mean(key, KINDS[section]) or _elsewhere(key)
    return f"there is no key {key} in [{section}]{hint}"


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _elsewhere(key: str) -> str:
    sections = [section for section, kinds in KINDS.items() if key in kinds]
    return f"; did you mean the one in [{sections[0]}]?" if sections else ""


def _read(kind: Kind, name: str, given: Input) -> Any:  # noqa: ANN401 - the field's own type
    try:
        return kind.read(given.value)
    except ValueError as error:
        shown = "" if kind.secret else f", not {_shorten(repr(given.value))}"
        what = f"{name} must be {kind.allowed}{shown}"
        raise ConfigError(Code.CONFIG_INVALID, what, on=given.origin) from error


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _origin_of_rule(key: str, asked: str, inputs: Mapping[tuple[str, str], Input]) -> str:
    """The files that set a key which the broken rule names; at least one of them did."""
    named = f"{key} {asked}".replace(",", " ").split()
    origins = [i.origin for (section, k), i in inputs.items() if f"{section}.{k}" in named]
    return ", ".join(dict.fromkeys(origins))
