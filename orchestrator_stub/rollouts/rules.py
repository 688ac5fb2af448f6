# SPDX-License-Identifier: Apache-2.0
"""The rules of a staged rollout: its waves, the pause between two, and when it stops.

A policy carries them as JSON in `Policy.rollout`, the REST API in the policy's field `rollout`:

    {"waves": [{"percent": 1}, {"hosts": 500}, {"percent": 50}], "pauseSeconds": 3600,
     "maxFailed": 5, "maxFailedPercent": 10, "maxAtOnce": 100}

1. Waves are cumulative. Each says how far the rollout has come when it is over: up to a share of
   the policy's hosts, rounded up, or up to so many of them. What the last one leaves over is one
   more wave.
2. A rollout stops when more than `maxFailed` hosts of one wave fail, or more than
   `maxFailedPercent` of them. Without either it only paces.
3. At most `maxAtOnce` hosts are offered the image at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import ErrorDetails

from orchestrator_stub.errors import Code, OrchestratorError

MAX_WAVES: Final = 20
MAX_HOSTS: Final = 1_000_000
MAX_PAUSE_S: Final = 30 * 86_400
_WHOLE: Final = 100


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


# a field that is left out when there is no limit; the schema never shows null
_Left = Field(json_schema_extra=_without_default)
_Hosts = Annotated[int, Field(ge=1, le=MAX_HOSTS, strict=True)]
_Percent = Annotated[int, Field(ge=1, le=_WHOLE, strict=True)]
_Failed = Annotated[int, Field(ge=0, le=MAX_HOSTS, strict=True)]
_FailedPercent = Annotated[int, Field(ge=0, lt=_WHOLE, strict=True)]


class _Rules(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


class RolloutWaveRule(_Rules):
    """How far a wave goes: up to a share of the policy's hosts, or up to so many of them."""

    percent: Annotated[_Percent | SkipJsonSchema[None], _Left] = None
    hosts: Annotated[_Hosts | SkipJsonSchema[None], _Left] = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.percent is None) == (self.hosts is None):
            raise ValueError("a wave has either percent or hosts")
        return self

    def reaches(self, hosts: int) -> int:
        """How many of so many hosts have had their turn when this wave is over."""
        if self.hosts is not None:
            return min(self.hosts, hosts)
        return -(-hosts * (self.percent or 0) // _WHOLE)


class RolloutRules(_Rules):
    """The waves of a policy, the pause between two, and when to stop."""

    waves: Annotated[tuple[RolloutWaveRule, ...], Field(min_length=1, max_length=MAX_WAVES)]
    pause_seconds: Annotated[int, Field(ge=0, le=MAX_PAUSE_S, strict=True)] = 0
    max_failed: Annotated[_Failed | SkipJsonSchema[None], _Left] = None
    max_failed_percent: Annotated[_FailedPercent | SkipJsonSchema[None], _Left] = None
    max_at_once: Annotated[_Hosts | SkipJsonSchema[None], _Left] = None

    @model_validator(mode="after")
    def _goes_further_each_time(self) -> Self:
        percent = hosts = 0
        for number, wave in enumerate(self.waves, start=1):
            # a share and a number cannot be compared before the hosts are counted
            if (wave.percent or percent + 1) <= percent or (wave.hosts or hosts + 1) <= hosts:
                raise ValueError(f"wave {number} goes no further than one before it")
            if percent == _WHOLE:
                raise ValueError(f"wave {number} comes after one that reaches every host")
            percent, hosts = wave.percent or percent, wave.hosts or hosts
        return self

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> Self:
        """The rules that a policy's record or a form has.

        Raises:
            OrchestratorError: `INVALID_ARGUMENT`, with every rule that is broken.
        """
        try:
            return cls.model_validate(stored)
        except ValidationError as error:
            what = "; ".join(_said(one) for one in error.errors(include_url=False) if _tells(one))
            raise OrchestratorError(Code.INVALID_ARGUMENT, what) from error

    def stored(self) -> dict[str, Any]:
        """The rules as a policy's record has them."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def _tells(error: ErrorDetails) -> bool:
    # what may be left out could also be null, says pydantic, but nobody should write that
    return error["type"] != "none_required"


def _said(error: ErrorDetails) -> str:
    names = [str(name) for name in error["loc"] if name != "constrained-int"]
    return f"{'.'.join(['rollout', *names])}: {error['msg'].removeprefix('Value error, ')}"
