# SPDX-License-Identifier: Apache-2.0
"""What clients send: whole records, and changes of some fields.

A field that only answers have is ignored, so that a client may send back what it got; any other
unknown field is refused, because a client that misspells one would believe that it counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, TypeVar

from fastapi import Query
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from orchestrator_stub import names
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.rest.documents.base import Document

LINE: Final = r"^[^\x00-\x1f\x7f]*$"
"""Text on one line; NUL is what PostgreSQL keeps in no text."""
LINES: Final = r"^[^\x00]*$"
NAME: Final = f"^{names.ORIGINAL}$"

Id = Annotated[str, Field(max_length=64)]
"""The id of another record, or nothing."""

FieldMask = Annotated[
    str,
    Query(
        alias="fieldMask",
        max_length=1000,
        description="The fields to change, by commas; of those that the body leaves out, the "
        "default is set. Without it, the fields of the body are changed.",
    ),
]

_Body = TypeVar("_Body", bound="Body")


class Body(BaseModel):
    """A record that is sent."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)

    answer: ClassVar[type[Document] | None] = None

    @model_validator(mode="before")
    @classmethod
    def _leave_out_what_only_answers_have(cls, sent: object) -> object:
        if not isinstance(sent, dict) or cls.answer is None:
            return sent
        ignored = names_of(cls.answer) - names_of(cls)
        return {name: value for name, value in sent.items() if name not in ignored}


def names_of(model: type[BaseModel]) -> set[str]:
    """The names of a model's fields, as the API spells them."""
    return {field.alias or name for name, field in model.model_fields.items()}


def changed(
    form: type[_Body], current: Mapping[str, Any], change: Mapping[str, Any], mask: str = ""
) -> _Body:
    """The whole record that a PATCH makes of the one that is there.

    Args:
        form: What a whole record looks like.
        current: What is there.
        change: The body of the PATCH.
        mask: Its field mask.

    Raises:
        OrchestratorError: When the mask names no field of the record.
        RequestValidationError: When that is no valid record.
    """
    kept = dict(current)
    if mask:
        wanted = {name.strip() for name in mask.split(",")}
        if not wanted <= names_of(form):
            raise OrchestratorError(
                Code.INVALID_ARGUMENT,
                f"fieldMask: what can be changed is {', '.join(sorted(names_of(form)))}",
            )
        kept = {name: value for name, value in kept.items() if name not in wanted}
        change = {name: value for name, value in change.items() if name in wanted}
    try:
        return form.model_validate({**kept, **change})
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error


def change_of(form: type[Body]) -> dict[str, Any]:
    """What the OpenAPI document says of a PATCH: any of the fields."""
    schema = form.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)  # the answers use the same ones
    schema.pop("required", None)
    schema["title"] = f"{form.__name__.removesuffix('Body')}Change"
    schema["description"] = "Some fields of the record."
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}
