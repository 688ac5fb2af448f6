# SPDX-License-Identifier: Apache-2.0
"""The pictures of docs/screenshots, made anew: `make screenshots`.

They show the lively fleet of the tests as Chromium shows it to an operator in Berlin.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser

from orchestrator_stub.access import operators
from tests.databases import Databases
from tests.integration.web.chromium import WAIT_MS, launched, log_in
from tests.integration.web.serving import World, world
from tests.postgres import Postgres

FOLDER: Final = Path(__file__).parents[3] / "docs" / "screenshots"
MAX_BYTES: Final = 150 * 1024
ZONE: Final = "Europe/Berlin"


@dataclass(frozen=True)
class Picture:
    """One page, and how it is shown."""

    name: str
    path: str
    width: int = 1280
    height: int = 800
    colours: str = "light"


PICTURES: Final = (
    Picture("hosts", "/hosts?sort=-update"),
    Picture("hosts-narrow", "/hosts?sort=-update", width=390),
    Picture("host", "/hosts/{till-02}"),
    Picture("host-dark", "/hosts/{till-05}", height=900, colours="dark"),
    Picture("rollouts", "/rollouts"),
    Picture("schedules", "/schedules"),
)


def main() -> None:
    """Make every picture."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        Databases(Path(folder), _no_server).fresh("sqlite") as database,
        world(database) as made,
    ):
        with made.database.writing() as session:
            operators.get(session, "admin").time_zone = ZONE
        with launched() as browser:
            for picture in PICTURES:
                take(browser, made, picture)


def _no_server() -> Postgres:
    raise RuntimeError("the pages are the same on each database")


def take(browser: Browser, made: World, picture: Picture) -> None:
    """Make one picture."""
    context = browser.new_context(
        viewport={"width": picture.width, "height": picture.height},
        timezone_id=ZONE,
        color_scheme="dark" if picture.colours == "dark" else "light",
    )
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    log_in(page, made)
    ids = {f"{{{name}}}": host.id for name, host in made.fleet.hosts.items()}
    path = picture.path
    for name, host_id in ids.items():
        path = path.replace(name, host_id)
    page.goto(made.url + path)
    file = FOLDER / f"{picture.name}.png"
    page.screenshot(path=file)
    context.close()
    assert file.stat().st_size <= MAX_BYTES, f"{file} has {file.stat().st_size} bytes"


if __name__ == "__main__":
    main()
