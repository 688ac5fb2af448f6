# SPDX-License-Identifier: Apache-2.0
"""The hosts page with all hosts in it: how soon its first byte comes, and how large it is."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import requests

from orchestrator_stub.access import operators
from orchestrator_stub.access.passwords import Passwords
from orchestrator_stub.commands.command import project_named
from orchestrator_stub.vocabulary import Scope
from orchestrator_stub.web.paging import SIZES
from tests.bench.figures import Figure, percentile, repeated
from tests.bench.orchestrator.load import close, poll_in_turn, resting_nodes, warm_up
from tests.bench.orchestrator.options import Options
from tests.bench.orchestrator.polls import meet, resting_stage
from tests.bench.orchestrator.process import Bench
from tests.integration.orchestrator_stub.running import Orchestrator
from tests.integration.web.html import parse
from tests.simulator.stage import Stage

FIRST_BYTE_GOAL_MS: Final = 100.0
SIZE_GOAL_KIB: Final = 100.0
_NAME: Final = "ada"
_TIMES: Final = 20
_POLLING: Final = 2000
PAGES: Final = {
    "hosts": "",
    "the last page": "?page=last",
    "100 to a page": "?size=100",
    "by last seen": "?size=100&sort=-seen",
    "by OS": "?size=100&sort=os",
    "a search": "?q=node-0099",
}


def measure(bench: Bench, options: Options) -> list[Figure]:
    """Fetch the pages again and again, with nothing else to do and while nodes poll."""
    figures: list[Figure] = []
    with bench.serving() as orchestrator:
        stage = resting_stage(bench, orchestrator, options.hosts)
        with _logged_in(orchestrator) as session:
            addresses = _addresses(orchestrator, options.hosts)
            asyncio.run(meet(bench, bench.origin(orchestrator), stage, options.rate))
            figures += _fetch(session, addresses, "", FIRST_BYTE_GOAL_MS)
            figures += asyncio.run(_while_polled(bench, orchestrator, stage, options, session))
    return figures


@contextmanager
def _logged_in(orchestrator: Orchestrator) -> Iterator[requests.Session]:
    """An operator's session, by the login form."""
    password = secrets.token_urlsafe(16)
    with orchestrator.database.writing() as records:
        operator = operators.add(records, _NAME, Passwords().hash_of(password))
        operators.admit(records, operator, project_named(records, ""), Scope.WRITE)
    with orchestrator.new_session() as session:
        url = f"{orchestrator.url}login"
        form = parse(session.get(url, timeout=60).text).all("form")[0]
        hidden = {one["name"]: one.get("value") for one in form.all("input") if one.get("name")}
        fields = {**hidden, "name": _NAME, "password": password}
        page = session.post(url, data=fields, timeout=60)
        assert page.url.endswith("/hosts"), page.url
        yield session


def _addresses(orchestrator: Orchestrator, hosts: int) -> dict[str, str]:
    last = -(-hosts // SIZES[0])
    url = f"{orchestrator.url}hosts"
    return {name: f"{url}{query.replace('last', str(last))}" for name, query in PAGES.items()}


async def _while_polled(
    bench: Bench,
    orchestrator: Orchestrator,
    stage: Stage,
    options: Options,
    session: requests.Session,
) -> list[Figure]:
    # how many polls there are counts here, not how many nodes they come from
    nodes = resting_nodes(stage.hosts[:_POLLING], bench.origin(orchestrator))
    await warm_up(nodes, options.rate)
    addresses = {"hosts": _addresses(orchestrator, options.hosts)["hosts"]}
    load = asyncio.ensure_future(poll_in_turn(nodes, options.rate, options.seconds / 4))
    figures = await asyncio.to_thread(_fetch, session, addresses, " while nodes poll", None)
    polls = await load
    close(nodes)
    slow_ms = 1000 * percentile(polls.seconds, 99)
    return [*figures, Figure("p99 of polls meanwhile, ms", slow_ms)]


def _fetch(
    session: requests.Session, addresses: dict[str, str], when: str, goal: float | None
) -> list[Figure]:
    figures = []
    for name, address in addresses.items():
        first_ms, size_kib = [], 0.0
        for _ in range(_TIMES):
            began = time.perf_counter()
            with session.get(address, stream=True, timeout=60) as response:
                first_ms.append(1000 * (time.perf_counter() - began))
                assert response.status_code == 200, response.status_code
                assert "gzip" not in response.headers.get("content-encoding", "")
                size_kib = max(size_kib, len(response.content) / 1024)
        figures.append(repeated(f"{name}{when}: first byte, ms", first_ms, goal))
        figures.append(Figure(f"{name}{when}: size, KiB", size_kib, SIZE_GOAL_KIB))
    return figures
