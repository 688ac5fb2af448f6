# SPDX-License-Identifier: Apache-2.0
"""What every document has in common."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema

from orchestrator_stub.records import Base

_Value = TypeVar("_Value")


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


Maybe = Annotated[_Value | SkipJsonSchema[None], Field(json_schema_extra=_without_default)]
"""A field that is left out when there is nothing to say; it is never null."""


class Document(BaseModel):
    """A part of an answer: exactly these fields, in the API's spelling."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )


class Timestamps(Document):
    """When a record was made, and last changed."""

    created_at: str = Field(json_schema_extra={"format": "date-time"})
    updated_at: str = Field(json_schema_extra={"format": "date-time"})


class Nothing(Document):
    """What a request is answered with that leaves nothing to say."""


class Reference(Document):
    """Another record."""

    resource_id: str
    name: str


class HostReference(Reference):
    """A host, as other records name it."""

    uuid: str


def timestamps(row: Base) -> Timestamps:
    """The two times of a record."""
    return Timestamps(created_at=_rfc3339(row.created_s), updated_at=_rfc3339(row.updated_s))


def _rfc3339(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
