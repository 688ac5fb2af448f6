# SPDX-License-Identifier: Apache-2.0
"""The agent as `puadctl` sees it: a proxy of the daemon's `org.puad.Agent1`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pydbus.bus
from gi.repository import Gio, GLib

from puad.core.dbus_errors import code_of
from puad.core.errors import Code, OperatorError
from puad.render import HistoryView, StatusView, parse
from puad.system_bus import Failure, connected, explain

BUS_NAME: Final = "org.puad.Agent1"
OBJECT_PATH: Final = "/org/puad/Agent1"
_TIMEOUT_S: Final = 25
# Check waits for the orchestrator; Install verifies the folder's signed metadata.
_LONG_TIMEOUT_S: Final = 180
_MS: Final = 1000


class Agent:
    """The daemon.

    Every method raises `OperatorError`: `AGENT_ABSENT` when it does not answer, else the code that
    the daemon gave.
    """

    def __init__(self, bus: pydbus.bus.Bus) -> None:
        self._bus = bus

    @property
    def connection(self) -> Gio.DBusConnection:
        """The connection, for following signals."""
        return self._bus.con

    def status(self) -> StatusView:
        """What `puadctl status` shows."""
        return parse(StatusView, self._call("Status"))

    def history(self) -> HistoryView:
        """Past update runs."""
        return parse(HistoryView, self._call("History"))

    def check(self) -> StatusView:
        """Ask the orchestrator now."""
        return parse(StatusView, self._call("Check", timeout_s=_LONG_TIMEOUT_S))

    def run(self) -> str:
        """Apply the offered image now; returns the run id."""
        return str(self._call("Run", timeout_s=_LONG_TIMEOUT_S))

    def install(self, folder: int) -> str:
        """Install from the opened folder of an exported repository; returns the run id."""
        files = Gio.UnixFDList.new()
        place = files.append(folder)
        with _translated():
            answer, _ = self._bus.con.call_with_unix_fd_list_sync(
                BUS_NAME,
                OBJECT_PATH,
                BUS_NAME,
                "Install",
                GLib.Variant("(h)", (place,)),
                GLib.VariantType.new("(s)"),
                Gio.DBusCallFlags.NONE,
                _LONG_TIMEOUT_S * _MS,
                files,
                None,
            )
        return str(answer.unpack()[0])

    def cancel(self) -> bool:
        """Stop the run; returns whether there was one."""
        return bool(self._call("Cancel"))

    def retry(self) -> bool:
        """Clear the quarantine and a failed try; returns whether there was something to clear."""
        return bool(self._call("Retry"))

    def rollback(self) -> str:
        """Go back to the other slot; returns the run id."""
        return str(self._call("Rollback"))

    def _call(self, method: str, timeout_s: int = _TIMEOUT_S) -> Any:  # noqa: ANN401 -- as many types as methods
        with _translated():
            proxy = self._bus.get(BUS_NAME, OBJECT_PATH, timeout=_TIMEOUT_S)[BUS_NAME]
            return getattr(proxy, method)(timeout=timeout_s)


@contextmanager
def connected_agent() -> Iterator[Agent]:
    """The agent, over a connection that ends with the block.

    Raises:
        OperatorError: `AGENT_ABSENT`, when there is no system bus.
    """
    with _translated(), connected() as bus:
        yield Agent(bus)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except GLib.Error as error:
        failure = explain(error)
        match failure.kind:
            case Failure.ABSENT:
                raise OperatorError(Code.AGENT_ABSENT, "puad does not run", on=BUS_NAME) from error
            case Failure.SILENT:
                what = "puad did not answer in time"
                raise OperatorError(Code.AGENT_ABSENT, what, on=BUS_NAME) from error
            case Failure.DENIED:
                what = "The system bus does not allow this"
                raise OperatorError(Code.NOT_ALLOWED, what, on=BUS_NAME) from error
            case Failure.REFUSED:
                code = code_of(failure.name) or Code.INTERNAL
                raise OperatorError(code, failure.message) from error
    except (KeyError, AttributeError) as error:  # how pydbus says that there is no such member
        what = "puad and puadctl are of different releases"
        raise OperatorError(Code.INTERNAL, what, on=str(error)) from error
