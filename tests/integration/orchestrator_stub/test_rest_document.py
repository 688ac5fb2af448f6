# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document: as committed, whole, and what the server gives out."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from orchestrator_stub.rest import openapi
from tests.integration.orchestrator_stub.running import Orchestrator

REPOSITORY: Final = Path(__file__).resolve().parents[3]
COMMITTED: Final = REPOSITORY / "docs" / "openapi.json"

# protocol.md §5 and §3b, and what is ours
PATHS: Final = {
    "compute/hosts": "get post",
    "compute/hosts/register": "post",
    "compute/hosts/summary": "get",
    "compute/hosts/{}": "delete get patch put",
    "compute/hosts/{}/invalidate": "put",
    "compute/hosts/{}/onboard": "patch",
    "compute/hosts/{}/register": "patch",
    "compute/instances": "get post",
    "compute/instances/{}": "delete get patch put",
    "compute/instances/{}/invalidate": "put",
    "compute/instances/{}:retry": "post",
    "compute/operating_systems": "get post",
    "compute/operating_systems/{}": "delete get patch put",
    "compute/operating_systems/{}:clearQuarantine": "post",
    "compute/operating_systems:refresh": "post",
    "compute/regions": "get post",
    "compute/regions/{}": "delete get patch put",
    "compute/rollouts": "get",
    "compute/rollouts/{}": "get",
    "compute/rollouts/{}:pause": "post",
    "compute/rollouts/{}:resume": "post",
    "compute/rollouts/{}:stop": "post",
    "compute/sites": "get post",
    "compute/sites/{}": "delete get patch put",
    "os_update_policy": "get post",
    "os_update_policy/{}": "delete get",
    "os_update_run": "get",
    "os_update_run/{}": "delete get",
    **{
        f"{family}{path}": methods
        for family in ("compute/schedules", "schedules")
        for path, methods in (
            ("", "get"),
            ("/single", "get post"),
            ("/single/{}", "delete get patch put"),
            ("/repeated", "get post"),
            ("/repeated/{}", "delete get patch put"),
        )
    },
}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in openapi.document()["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_document_is_the_committed_one(tmp_path: Path) -> None:
    written = tmp_path / "openapi.json"
    command = [sys.executable, "-W", "error", "-m", "orchestrator_stub.rest.openapi", str(written)]
    subprocess.run(command, cwd=REPOSITORY, check=True, timeout=120)
    assert written.read_text("utf-8") == COMMITTED.read_text("utf-8"), (
        "look at the difference, then: python -m orchestrator_stub.rest.openapi docs/openapi.json"
    )


def test_server_gives_the_document_to_anybody(orchestrator: Orchestrator) -> None:
    answer = orchestrator.session.get(f"{orchestrator.url}openapi.json", timeout=60)
    assert answer.json() == openapi.document()


def test_document_has_every_path_of_the_protocol_and_no_other() -> None:
    found: dict[str, str] = {}
    for path, method, _ in operations():
        short = re.sub(r"\{\w+\}", "{}", path.removeprefix("/v1/projects/{project}/"))
        found[short] = f"{found.get(short, '')} {method}".strip()
    assert {path: " ".join(sorted(methods.split())) for path, methods in found.items()} == PATHS


def test_operations_are_named_once_and_say_how_they_answer() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(names) == len(set(names))
    for path, method, operation in operations():
        where = f"{method} {path}"
        assert operation["summary"], where
        assert operation["description"], where
        statuses = set(operation["responses"])
        assert statuses & {"200", "501"}, where
        assert {"401", "404", "503"} <= statuses, where
        assert "422" not in statuses, where
        if method != "get":
            assert {"400", "403", "409", "413", "415"} <= statuses, where
        if "200" in statuses:
            schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
            assert "$ref" in schema, where


def test_every_reference_of_the_document_leads_somewhere() -> None:
    document = openapi.document()
    wanted = set(re.findall(r'"\$ref": "#/components/(\w+/\w+)"', openapi.text()))
    known = {
        f"{kind}/{name}"
        for kind in ("schemas", "responses")
        for name in document["components"][kind]
    }
    assert wanted <= known
    # and nothing is left over
    assert {name for name in known if name.startswith("schemas/")} <= wanted


def test_answers_are_closed_so_that_no_field_is_undocumented() -> None:
    for name, schema in openapi.document()["components"]["schemas"].items():
        if schema["type"] == "object":
            assert schema["additionalProperties"] is False, name


def test_allow_header_names_every_method_of_a_path(orchestrator: Orchestrator) -> None:
    for path, allowed in (
        ("compute/hosts", "GET, POST"),
        ("compute/hosts/summary", "GET"),
        ("compute/hosts/host-00000000", "DELETE, GET, PATCH, PUT"),
        ("compute/instances/inst-00000000:retry", "POST"),
        ("compute/operating_systems:refresh", "POST"),
    ):
        response = orchestrator.rest("OPTIONS", path)
        assert (response.status_code, response.headers["allow"]) == (405, allowed)
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["code"] == "unimplemented"
