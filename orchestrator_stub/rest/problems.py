# SPDX-License-Identifier: Apache-2.0
"""What the OpenAPI document says of refusals: which status an operation can answer with, and why.

The rules follow from an operation's form, so that no handler can forget one.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator_stub.errors import Code
from orchestrator_stub.problem import MEDIA_TYPE
from orchestrator_stub.rest.documents.base import Document, Maybe


class Problem(Document):
    """An RFC 9457 problem document; `code` is the word that a node would get, `hint` what to do."""

    type: str
    title: str
    status: int
    code: Code
    detail: str
    hint: Maybe[str] = None


_DESCRIPTIONS: Final = {
    "400": "What is asked for is not valid, or cannot be now; `code` says which.",
    "401": "The token is missing, wrong, or has expired.",
    "403": "The token may only read.",
    "404": "There is no such project or record for this caller.",
    "408": "The body did not come in time.",
    "409": "Another record stands against it, or somebody else was quicker.",
    "413": "The body is too long.",
    "415": "The body is not sent as application/json.",
    "501": "This orchestrator does it otherwise; `detail` says how.",
    "503": "The database or the release service does not answer.",
}
_ALWAYS: Final = frozenset({"401", "404", "503"})
# a client may send a body even where none is asked for
_WRITING: Final = frozenset({"400", "403", "408", "409", "413", "415"})
_READING: Final = "get"


def refusals(method: str, operation: dict[str, Any]) -> dict[str, Any]:
    """The refusals of an operation, as its `responses` have them.

    Args:
        method: In lower case.
        operation: As the document has it.
    """
    statuses = set(_ALWAYS) | ({"501"} & operation["responses"].keys())
    if any(parameter["in"] == "query" for parameter in operation.get("parameters", ())):
        statuses.add("400")
    if method != _READING:
        statuses |= _WRITING
    return {
        status: {"$ref": f"#/components/responses/{_name(status)}"} for status in sorted(statuses)
    }


def responses() -> dict[str, Any]:
    """Every refusal, for all operations to refer to."""
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    content = {MEDIA_TYPE: {"schema": schema}}
    return {
        _name(status): {"description": description, "content": content}
        for status, description in _DESCRIPTIONS.items()
    }


def _name(status: str) -> str:
    return f"Problem{status}"
