# SPDX-License-Identifier: Apache-2.0
"""The routes' common form: where they stand, how ids look in a path, what answers leave out.

An id in a path has an id's form or the path does not exist. So `hosts/summary` is no host, and
`instances/inst-0badcafe:retry` no instance.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path
from starlette.convertors import StringConvertor, register_url_convertor

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records.base import ID
from orchestrator_stub.rest.context import AuthorisedRoute

PROJECT: Final = "/v1/projects/{project}"

RecordId = Annotated[str, Path(pattern=f"^{ID}$", description="The record's resourceId.")]


class _IdConvertor(StringConvertor):
    regex = ID


register_url_convertor("id", _IdConvertor())


class Router(APIRouter):
    """A router of the API: all of it is for callers who are known."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - FastAPI's own
        super().__init__(route_class=AuthorisedRoute, **options)

    def add_api_route(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - FastAPI's own
        """Add a route; FastAPI's decorators end up here."""
        super().add_api_route(*args, **{**options, "response_model_exclude_none": True})


def unimplemented(why: str) -> OrchestratorError:
    """What the original does, and this orchestrator does otherwise."""
    return OrchestratorError(Code.UNIMPLEMENTED, why)
