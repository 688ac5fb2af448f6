# SPDX-License-Identifier: Apache-2.0
"""The daemon: `puad`, the update agent itself."""

from __future__ import annotations

import argparse
import logging
import os
import signal
from collections.abc import Callable, Sequence
from typing import Final

from gi.repository import GLib

from puad import config
from puad.arguments import Parser
from puad.core.errors import Code, ConfigError, OperatorError, PuadError, StorageError
from puad.daemon.daemon import Daemon
from puad.daemon.parts import Parts
from puad.effects.watch import Watch
from puad.journal import MessageId, lifecycle, setup_logging
from puad.service_manager import notify
from puad.system_bus import connect, disconnect

__all__ = ["main"]

_PATIENCE_S: Final = 20.0
_EXIT_CODES: Final = {
    os.EX_OK: "stopped",
    os.EX_USAGE: "wrong use",
    os.EX_UNAVAILABLE: "no system bus, or the agent's name is taken",
    os.EX_CANTCREAT: "a folder of its own is missing or cannot be written",
    os.EX_TEMPFAIL: "a worker did not end in time",
    os.EX_CONFIG: "configuration",
}
_BUS_HINT: Final = "See `systemctl status dbus`."
_LOG: Final = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the daemon until SIGTERM or SIGINT.

    Returns:
        0 after a clean stop, 78 for a configuration that cannot be followed, 73 without its
        folders, 69 without the system bus, 75 when a worker did not end in time (sysexits.h).
    """
    arguments = _parser().parse_args(argv)
    setup_logging(arguments.log_level)
    try:
        return _run(config.load(config.chosen_dirs(arguments)).settings)
    except ConfigError as error:
        return _given_up(error, os.EX_CONFIG)
    except StorageError as error:  # not 78: the unit is started again, for this may pass
        return _given_up(error, os.EX_CANTCREAT)
    except OperatorError as error:
        return _given_up(error, os.EX_UNAVAILABLE)
    except GLib.Error as error:
        _LOG.critical("The system bus cannot be reached: %s\nhint: %s", error.message, _BUS_HINT)
        return os.EX_UNAVAILABLE


def _given_up(error: PuadError, exit_code: int) -> int:
    _LOG.critical("%s\nhint: %s", error, error.hint)
    return exit_code


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="puad", description="The update agent of this node.")
    parser.exit_codes = _EXIT_CODES
    parser.add_version()
    config.add_dir_option(parser)
    parser.add_argument(
        "--log-level",
        default="info",
        choices=("debug", "info", "warning", "error"),
        metavar="WORD",
        help="the least grave lines to log: debug, info, warning or error (default: info)",
    )
    return parser


def _run(settings: config.Settings) -> int:
    loop, watch = GLib.MainLoop(), Watch()
    _require_folders(settings)
    daemon = Daemon(settings, Parts(settings, watch, _post), watch, _post)
    bus = connect()
    try:
        daemon.bus_object.export(bus.con)
        for number in (signal.SIGTERM, signal.SIGINT):
            GLib.unix_signal_add(GLib.PRIORITY_HIGH, number, _quit, loop)
        daemon.start()
        notify(ready=True)
        loop.run()
        notify(stopping=True)
        lifecycle(MessageId.DAEMON_STOPPING, "puad stops; what was begun goes on at the next start")
        return os.EX_OK if daemon.stop(_PATIENCE_S) else os.EX_TEMPFAIL
    finally:
        disconnect(bus)


def _require_folders(settings: config.Settings) -> None:
    for folder in (settings.paths.persist, settings.paths.run):
        if not os.access(folder, os.W_OK | os.X_OK):
            what = "The folder is missing, or this user may not write to it"
            raise StorageError(Code.STATE_UNWRITABLE, what, on=str(folder))


def _post(job: Callable[[], None]) -> None:
    def once() -> bool:
        job()
        return False

    GLib.idle_add(once)


def _quit(loop: GLib.MainLoop) -> bool:
    loop.quit()
    return True
