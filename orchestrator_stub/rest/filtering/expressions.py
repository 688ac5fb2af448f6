# SPDX-License-Identifier: Apache-2.0
"""What a filter says, as a tree of values. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orchestrator_stub.errors import Code, OrchestratorError


class QueryError(OrchestratorError):
    """A `filter` or `orderBy` that cannot be followed.

    Attributes:
        at: The character that it fails at, counted from 1.
    """

    def __init__(self, parameter: str, at: int, what: str) -> None:
        super().__init__(Code.INVALID_ARGUMENT, f"{parameter}, character {at}: {what}")
        self.at = at


class Operator(StrEnum):
    """What a comparison asks."""

    EQUAL = "="
    UNEQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    HAS = ":"


@dataclass(frozen=True, slots=True)
class Name:
    """A field's name and where it stands."""

    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Value:
    """What a field is compared with.

    Attributes:
        parts: The texts between the wildcards: one when there is no wildcard.
        at: Where it stands.
    """

    parts: tuple[str, ...]
    at: int

    @property
    def is_pattern(self) -> bool:
        """Whether it has a wildcard."""
        return len(self.parts) > 1

    @property
    def is_anything(self) -> bool:
        """Whether it is `*` alone."""
        return self.parts == ("", "")


@dataclass(frozen=True, slots=True)
class Comparison:
    """`field operator value`."""

    name: Name
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class Presence:
    """`has(field)`."""

    name: Name


@dataclass(frozen=True, slots=True)
class Negation:
    """`NOT part`."""

    part: Expression


@dataclass(frozen=True, slots=True)
class Conjunction:
    """`part AND part AND …`."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Disjunction:
    """`part OR part OR …`."""

    parts: tuple[Expression, ...]


Expression = Comparison | Presence | Negation | Conjunction | Disjunction
