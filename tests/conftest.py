# SPDX-License-Identifier: Apache-2.0
"""What tests of several folders share: their order, golden files, databases of the orchestrator.

Golden files are what people and programs read, compared with what was last looked at.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from orchestrator_stub.database import Database
from tests.databases import DIALECTS, Databases
from tests.length import minutes
from tests.measuring import counting, is_counted
from tests.postgres import running_postgres

GOLDEN = Path(__file__).with_name("golden")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate-golden", action="store_true", help="write the golden files anew")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes minutes: left for last, one process would wait for the other."""
    items.sort(key=lambda item: -minutes(item, unmarked=0))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    with counting(is_counted(item.path)):
        return (yield)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with the golden file of that name."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--regenerate-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        assert path.is_file(), f"{name} is missing: look at the text, then --regenerate-golden"
        assert text == path.read_text("utf-8")

    return compare


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Makes fresh databases; PostgreSQL starts with the first that is on it."""
    with ExitStack() as stack:
        server = functools.cache(lambda: stack.enter_context(running_postgres()))
        yield Databases(tmp_path_factory.mktemp("databases"), server)


@pytest.fixture(scope="session", params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> str:
    """Each database in turn: who asks for it runs on all of them."""
    return str(request.param)


@pytest.fixture
def database_url(databases: Databases, dialect: str) -> Iterator[str]:
    """A database with this version's tables and nothing in them."""
    url = databases.upgraded(dialect)
    yield url
    databases.forget(url)


@pytest.fixture
def empty_database_url(databases: Databases, dialect: str) -> Iterator[str]:
    """A database without tables."""
    url = databases.empty(dialect)
    yield url
    databases.forget(url)


@pytest.fixture
def database(databases: Databases, dialect: str) -> Iterator[Database]:
    """An open database with this version's tables and nothing in them."""
    with databases.fresh(dialect) as database:
        yield database
