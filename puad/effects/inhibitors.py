# SPDX-License-Identifier: Apache-2.0
"""Inhibitors: programs that have asked logind to let nobody reboot (systemd-inhibit(1))."""

from __future__ import annotations

import logging
from typing import Final

from gi.repository import Gio, GLib

from puad.system_bus import Failure, connected, explain

_LOGIND: Final = ("org.freedesktop.login1", "/org/freedesktop/login1")
_MANAGER: Final = "org.freedesktop.login1.Manager"
_MODES: Final = frozenset({"block", "block-weak"})
_MS: Final = 1000

_log = logging.getLogger(__name__)


def block_inhibitors(timeout_s: float) -> list[str]:
    """Who blocks a shutdown, each with its reason; nobody when logind does not say."""
    try:
        with connected() as bus:
            reply = bus.con.call_sync(
                *_LOGIND,
                _MANAGER,
                "ListInhibitors",
                None,
                GLib.VariantType.new("(a(ssssuu))"),
                Gio.DBusCallFlags.NO_AUTO_START,
                int(timeout_s * _MS),
                None,
            )
    except GLib.Error as error:
        failure = explain(error)
        level = logging.INFO if failure.kind is Failure.ABSENT else logging.WARNING
        _log.log(level, "logind does not tell who inhibits a reboot: %s", failure.message)
        return []
    (rows,) = reply.unpack()
    return [
        f"inhibitor {who}: {why} (uid {uid})"
        for what, who, why, mode, uid, _ in rows
        if mode in _MODES and "shutdown" in what.split(":")
    ]
