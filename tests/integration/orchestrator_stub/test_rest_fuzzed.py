# SPDX-License-Identifier: Apache-2.0
"""schemathesis over the running API: no server error, nothing that the document does not say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok

from tests.databases import Databases
from tests.integration.orchestrator_stub.running import Orchestrator, new_directory, serving

pytestmark = pytest.mark.minutes(3)

DOCUMENT: Final = Path(__file__).resolve().parents[3] / "docs" / "openapi.json"
SEED: Final = 5
# Enough for each operation to be met with valid and invalid input of every kind in its coverage
# phase, and with some random ones; both databases together take about a minute.
RANDOM_EXAMPLES: Final = 4
SETTINGS: Final[dict[str, Any]] = {
    "seed": SEED,
    "suppress-health-check": ["all"],  # a busy machine is no finding
    "generation": {
        "deterministic": True,
        "database": "none",
        "max-examples": RANDOM_EXAMPLES,
        "no-shrink": True,
        "allow-extra-parameters": False,  # unknown parameters of a query are ignored
    },
    "checks": {
        # a filter or a rule over several fields is more than a schema can say
        "positive_data_acceptance": {"enabled": False},
    },
}


def _elsewhere() -> list[str]:
    """The operations that are done elsewhere, and are a 501 on purpose."""
    document = json.loads(DOCUMENT.read_text("utf-8"))
    return [
        operation["operationId"]
        for methods in document["paths"].values()
        for operation in methods.values()
        if "501" in operation["responses"]
    ]


everything = schemathesis.openapi.from_path(DOCUMENT, config=SchemathesisConfig.from_dict(SETTINGS))
operations = everything.exclude(operation_id=_elsewhere())
elsewhere = everything.include(operation_id=_elsewhere())


@pytest.fixture(scope="module")
def fuzzed(
    tmp_path_factory: pytest.TempPathFactory, databases: Databases, dialect: str
) -> Iterator[Orchestrator]:
    """An orchestrator of its own: nothing that other tests need is deleted here."""
    folder = tmp_path_factory.mktemp("fuzzed")
    with serving(new_directory(folder / "data", databases.upgraded(dialect))) as running:
        node = running.enrol("edge")
        running.publish("edge", "1.0", "2.0")
        running.policy("LATEST")
        node.poll("DOWNLOADING")
        yield running


@operations.parametrize()
def test_operation_answers_as_the_document_says(
    case: schemathesis.Case[Any], fuzzed: Orchestrator
) -> None:
    call(case, fuzzed)


@elsewhere.parametrize()
def test_operation_that_is_done_elsewhere_answers_as_the_document_says(
    case: schemathesis.Case[Any], fuzzed: Orchestrator
) -> None:
    call(case, fuzzed, excluded_checks=[not_a_server_error])


def test_every_operation_is_met() -> None:
    document = json.loads(DOCUMENT.read_text("utf-8"))
    names = {
        one["operationId"] for methods in document["paths"].values() for one in methods.values()
    }
    met = []
    for schema in (operations, elsewhere):
        for result in schema.get_all_operations():
            assert isinstance(result, Ok)
            met.append(result.ok().definition.raw["operationId"])
    assert sorted(met) == sorted(names)


def call(case: schemathesis.Case[Any], fuzzed: Orchestrator, **how: Any) -> None:
    path = {**(case.path_parameters or {}), "project": "default"}
    case.path_parameters = path
    case.call_and_validate(
        base_url=fuzzed.url.rstrip("/"),
        headers={"Authorization": f"Bearer {fuzzed.api_token}"},
        session=fuzzed.session,
        timeout=60,
        **how,
    )
