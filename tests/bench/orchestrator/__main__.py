# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.bench.orchestrator`: what the orchestrator does under the load of a large fleet.

The server is a process of its own with one worker, as it is deployed; the load comes from this one.
Figures are printed, and kept in build/bench/orchestrator.json. Times are worth something only on a
machine that does nothing else; what the server uses of the CPU for a poll is worth more.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from orchestrator_stub.connections import ask_for_files
from orchestrator_stub.garbage import look_at_the_young_only
from orchestrator_stub.server import keep_connections_small
from tests.bench.figures import FOLDER, Figure, keep, table
from tests.bench.orchestrator import hosts_page, polls, recovery, trials
from tests.bench.orchestrator.options import Options
from tests.bench.orchestrator.process import Bench
from tests.databases import DIALECTS
from tests.postgres import Postgres, running_postgres

_FILE: Final = FOLDER / "orchestrator.json"
PARTS: Final[dict[str, Callable[[Bench, Options], list[Figure]]]] = {
    "polls": polls.measure,
    "recovery": recovery.measure,
    "page": hosts_page.measure,
    "updates": trials.measure_updates,
    "bad-image": trials.measure_bad_image,
}
AT_REST: Final = ("polls", "recovery", "page")
"""Those with the same hosts, which are enrolled only once."""


def main() -> int:
    """Measure what was asked for; 1 when a goal was not held."""
    arguments = _parser().parse_args()
    options = Options(
        hosts=arguments.hosts,
        rate=arguments.rate,
        seconds=arguments.seconds,
        repeat=arguments.repeat,
        updates=arguments.updates,
        share=arguments.share,
        patience_s=arguments.patience,
    )
    conditions = options.dump() | {"tls": not arguments.plain_http, "cpus": os.cpu_count()}
    ask_for_files()
    keep_connections_small()
    look_at_the_young_only()  # through ten thousand nodes it takes a second, in which none is heard
    held = True
    with ExitStack() as stack:
        for dialect in arguments.database or DIALECTS:
            server: Postgres | None = None
            if dialect == "postgresql":
                server = stack.enter_context(running_postgres(durable=True))
            resting = stack.enter_context(_bench(server, arguments))
            for part in arguments.part or PARTS:
                if part in AT_REST:
                    figures = PARTS[part](resting, options)
                else:
                    with _bench(server, arguments) as bench:
                        figures = PARTS[part](bench, options)
                print(table(f"{part} on {dialect}, {options.hosts} hosts", figures), flush=True)
                keep(_FILE, part, dialect, figures, conditions)
                held = held and all(figure.held for figure in figures)
    print(f"\nAll of it is in {_FILE}; {'every goal was held' if held else 'NOT every goal held'}.")
    return 0 if held else 1


@contextmanager
def _bench(server: Postgres | None, arguments: argparse.Namespace) -> Iterator[Bench]:
    url = server.url(server.create()) if server else ""
    with tempfile.TemporaryDirectory(prefix="puad-bench-") as folder:
        yield Bench(Path(folder), url, arguments.plain_http)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench-orchestrator", description=__doc__)
    add = parser.add_argument
    add("--part", action="append", choices=[*PARTS], help="only this part; may be given again")
    add("--database", action="append", choices=DIALECTS, help="only on this; may be given again")
    add("--hosts", type=int, default=10_000, help="default: %(default)s")
    add("--rate", type=float, default=500.0, help="polls a second; default: %(default)s")
    add("--seconds", type=float, default=120.0, help="of polls; default: %(default)s")
    add("--repeat", type=int, default=3, help="restarts; default: %(default)s")
    add("--updates", type=int, default=1000, help="updates at once; default: %(default)s")
    add("--share", type=float, default=1.0, help="of nodes on which the bad image is bad")
    add("--patience", type=float, default=1800.0, help="seconds for any trial")
    add("--plain-http", action="store_true", help="no TLS")
    return parser


if __name__ == "__main__":
    sys.exit(main())
