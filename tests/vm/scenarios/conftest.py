# SPDX-License-Identifier: Apache-2.0
"""Scenarios: nodes to play them with, their evidence when they fail, and what they cost.

`--vm-full` plays every scenario with three tries and with every boot loader that it fits; without
it each is played once, with one try where it does not ask for three. `--vm-until` is for who has an
hour for everything: what would not end by then is not played, and is named.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from tests.demo.layout import REPOSITORY
from tests.length import minutes
from tests.vm.harness.bench import Bench, Kind, Staged
from tests.vm.harness.machine import Counters
from tests.vm.harness.node import Node
from tests.vm.image.variants import CHOSEN, FAULTY
from tests.vm.scenarios.played import Notebook, Played, read, write_report

RESULTS = REPOSITORY / "build/test-vm"
LOADERS = ("systemd-boot", "grub")
_REPORT = pytest.StashKey[pytest.TestReport]()
_BEGAN = pytest.StashKey[float]()
_NOTEBOOK = pytest.StashKey[Notebook]()
_UNHURRIED = 2
"""A scenario takes that many times as long beside another one, at the worst."""
_NOT_PLAYED = "not played, the time is up"

Start = Callable[[Path], Node]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--vm-full", action="store_true", help="three tries, every boot loader")
    parser.addoption(
        "--vm-until",
        metavar="TIME",
        type=float,
        help="begin no scenario that may last beyond that Unix time; what is left is named",
    )
    parser.addoption("--vm-turn", default="", help="a text that says which scenarios come first")
    parser.addoption("--vm-note", metavar="FILE", help="note each scenario there as it ends")
    parser.addoption(
        "--vm-go-on", metavar="FILE", help="leave out what has passed by that note of a run before"
    )
    parser.addoption("--vm-report", metavar="FILE", help="write what was played as Markdown")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_BEGAN] = time.monotonic()
    noted = config.getoption("--vm-note")
    config.stash[_NOTEBOOK] = Notebook(Path(noted) if noted else None)
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(config.stash[_NOTEBOOK])
    lines = (
        "tries(n): the boots that a new image gets here",
        "loaders(*names): the boot loaders that the scenario is for; the first one is the default",
        "every_loader: played with each of them, always",
        "full_only: a sibling of another scenario, played with --vm-full only",
    )
    for line in lines:
        config.addinivalue_line("markers", line)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kind" not in metafunc.fixturenames:
        return
    full = metafunc.config.getoption("--vm-full")
    markers = metafunc.definition
    fitting = markers.get_closest_marker("loaders")
    loaders = fitting.args if fitting else LOADERS
    if not full and not markers.get_closest_marker("every_loader"):
        loaders = loaders[:1]
    kinds = [Kind(loader, 3 if full else 1) for loader in loaders]
    metafunc.parametrize("kind", kinds, ids=[kind.name for kind in kinds])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    full = config.getoption("--vm-full")
    passed = {one.nodeid for one in _passed_before(config)}
    left_out = [
        item
        for item in items
        if item.nodeid in passed or (item.get_closest_marker("full_only") and not full)
    ]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
    turn = config.getoption("--vm-turn")
    items.sort(key=lambda item: (-_minutes(item), _place(item, turn)))


def _minutes(item: pytest.Item) -> int:
    return minutes(item, unmarked=1)


def _place(item: pytest.Item, turn: str) -> str:
    """Where a scenario stands among those as long as it: with another turn, others come first."""
    return hashlib.sha256(f"{turn} {item.nodeid}".encode()).hexdigest() if turn else ""


def pytest_runtest_setup(item: pytest.Item) -> None:
    until = item.config.getoption("--vm-until")
    if until is not None and time.time() + _minutes(item) * _UNHURRIED * 60 > until:
        pytest.skip(_NOT_PLAYED)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[_REPORT] = report
    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    notebook = config.stash[_NOTEBOOK]
    played = [*_passed_before(config), *notebook.played]
    skipped = terminalreporter.stats.get("skipped", [])
    line = (
        f"boots={sum(one.boots for one in played)}"
        f" seconds={time.monotonic() - config.stash[_BEGAN]:.0f}"
        f" machine_seconds={sum(one.machine_s for one in played):.0f}"
        f" cpu_seconds={sum(one.cpu_s for one in played):.0f}"
        f" scenarios={len(played)}"
        f" failed={sum(one.outcome != 'passed' for one in played)} skipped={len(skipped)}"
    )
    for one in sorted(played, key=lambda one: -one.seconds):
        terminalreporter.write_line(
            f"{one.seconds:5.0f} s {one.cpu_s:5.0f} s {one.boots:2} boots  {one.name}"
        )
    terminalreporter.write_line(line)
    for report in skipped:
        terminalreporter.write_line(f"{_NOT_PLAYED}: {report.nodeid.rpartition('/')[2]}")
    if config.getoption("--vm-report"):
        write_report(Path(config.getoption("--vm-report")), played, line)


def _passed_before(config: pytest.Config) -> list[Played]:
    file = config.getoption("--vm-go-on")
    return [one for one in read(Path(file)) if one.outcome == "passed"] if file else []


@pytest.fixture
def bench(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Iterator[Bench]:
    """Where nodes come from; what they cost is told at the end."""
    counters = Counters()
    yield Bench(lambda _text: None, counters)
    record_property("boots", counters.boots)
    record_property("machine_s", counters.seconds)
    record_property("cpu_s", counters.cpu_s)


@pytest.fixture
def nodes(request: pytest.FixtureRequest, bench: Bench, tmp_path: Path) -> Iterator[list[Node]]:
    """The nodes of a scenario: stopped at its end, and their evidence kept on a failure."""
    nodes: list[Node] = []
    yield nodes
    report = request.node.stash.get(_REPORT, None)
    folder = RESULTS / re.sub(r"[^\w.-]+", "-", request.node.nodeid.rpartition("/")[2])
    for number, node in enumerate(nodes):
        if report is None or report.failed:
            node.keep_evidence(folder / f"node-{number}")
        node.close()
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture
def start(nodes: list[Node], bench: Bench, tmp_path: Path) -> Start:
    """Start a node from a state."""

    def begin(state: Path) -> Node:
        node = Node(tmp_path / f"node-{len(nodes)}", bench.counters)
        nodes.append(node)
        node.adopt(state)
        return node

    return begin


@pytest.fixture
def tries(request: pytest.FixtureRequest, kind: Kind) -> int:
    """The boots that a new image gets here."""
    marker = request.node.get_closest_marker("tries")
    return max(kind.tries, marker.args[0] if marker else 1)


@pytest.fixture
def staged(bench: Bench, start: Start, kind: Kind, tries: int) -> Staged:
    """Start a node on which version 2.0, of that variant, waits for its window."""
    chosen = {fault.name for fault in CHOSEN}

    def begin(variant: str = "good") -> Node:
        node = start(bench.staged(kind, FAULTY if variant in chosen else variant))
        if variant in chosen:
            node.choose_fault(variant)
        if tries != kind.tries:
            node.set_tries(tries)
        return node

    return begin


@pytest.fixture
def idle(bench: Bench, start: Start, kind: Kind) -> Node:
    """A node that runs version 1.0 and has nothing to do."""
    return start(bench.idle(kind))
