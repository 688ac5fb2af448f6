# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document of everything under /v1/; `python -m … PATH` writes it.

It is made from the routes and nothing else, so it is the same each time; docs/openapi.json is
compared with it by a test.
"""

from __future__ import annotations

import functools
import json
import re
import sys
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic.alias_generators import to_camel

from orchestrator_stub.records.base import ID
from orchestrator_stub.rest import routers
from orchestrator_stub.rest.problems import Problem, refusals, responses
from orchestrator_stub.rest.routing import PROJECT

VERSION: Final = "1"
_TITLE: Final = "puad orchestrator"
_SECOND_PATH: Final = f"{PROJECT}/schedules"
_SCHEME: Final = {"token": {"type": "http", "scheme": "bearer"}}
_FRAMEWORKS: Final = ("HTTPValidationError", "ValidationError")
_FRAMEWORKS_STATUS: Final = "422"  # this API answers 400

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
def get_openapi() -> Response:
    """Give the document to whoever asks."""
    return Response(_given(), media_type="application/json")


@functools.cache
def _given() -> bytes:
    """The document as it is given: anybody may ask, as often as they like."""
    return json.dumps(document(), ensure_ascii=False, separators=(",", ":")).encode()


@functools.cache
def document() -> dict[str, Any]:
    """The document."""
    app = FastAPI(
        title=_TITLE, version=VERSION, generate_unique_id_function=_operation_id, openapi_url=None
    )
    for each in routers():
        app.include_router(each)
    made = app.openapi()
    schemas = made["components"]["schemas"]
    for name in _FRAMEWORKS:
        schemas.pop(name, None)
    schemas[Problem.__name__] = Problem.model_json_schema(
        ref_template="#/components/schemas/{model}"
    )
    schemas |= schemas[Problem.__name__].pop("$defs")
    for methods in made["paths"].values():
        for method, operation in methods.items():
            operation["responses"].pop(_FRAMEWORKS_STATUS, None)
            operation["responses"] |= refusals(method, operation)
    made["components"]["responses"] = responses()
    made["components"]["securitySchemes"] = _SCHEME
    made["security"] = [{name: [] for name in _SCHEME}]
    untitled: dict[str, Any] = _without_titles(made)
    return {**untitled, "info": made["info"]}


def allowed_methods(path: str) -> str:
    """What an `Allow` header says of a path; empty when the document does not know it."""
    return next((methods for form, methods in _methods() if form.fullmatch(path)), "")


def text() -> str:
    """The document as it is committed."""
    return json.dumps(document(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


@functools.cache
def _methods() -> list[tuple[re.Pattern[str], str]]:
    return [
        (re.compile(_form(path)), ", ".join(sorted(map(str.upper, operations))))
        for path, operations in document()["paths"].items()
    ]


def _form(path: str) -> str:
    """A path as an expression: its fixed parts, and what stands for a parameter."""
    parts = re.split(r"\{(\w+)\}", path)
    return "".join(
        (ID if part != "project" else "[^/]+") if number % 2 else re.escape(part)
        for number, part in enumerate(parts)
    )


def _operation_id(route: APIRoute) -> str:
    """The handler's name; paths that are there twice are told apart."""
    second = "UnderSchedules" if route.path_format.startswith(_SECOND_PATH) else ""
    return to_camel(route.name) + second


def _without_titles(part: Any) -> Any:  # noqa: ANN401 - JSON
    """The document without the titles that only repeat a field's name."""
    if isinstance(part, list):
        return [_without_titles(item) for item in part]
    if not isinstance(part, dict):
        return part
    return {
        name: _without_titles(value)
        for name, value in part.items()
        if not (name == "title" and isinstance(value, str))
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
