# SPDX-License-Identifier: Apache-2.0
"""A clock without a battery, and a configuration file with errors."""

from __future__ import annotations

import time

from tests.demo.waiting import wait_for
from tests.vm.harness.bench import SECOND, Bench, Kind
from tests.vm.harness.node import BOOT_S, Node


def test_clock_at_1970_opens_no_window_and_status_says_why(
    bench: Bench, idle: Node, kind: Kind
) -> None:
    idle.machine.cut_power()
    idle.machine.rtc = "1970-01-01T00:00:00"
    idle.power_on()
    idle.wait_good("a")
    # systemd itself goes no lower than its own build time; this is below the image's
    idle.guest_output("date", "--utc", "--set=1970-01-02 00:00:00")
    idle.server.open_always()
    idle.offer(bench.image(kind, SECOND))
    for _ in range(2):  # what a node begins after one answer it reports with the next
        idle.ask_server()
    assert "clock" in idle.puadctl("status").text.lower()
    assert idle.server.runs() == []
    idle.machine.set_clock(time.time())
    wait_for("the update, by a clock to trust", idle.server.runs, BOOT_S, 2)


def test_configuration_with_an_error_fails_the_unit_in_plain_words_and_not_the_boot(
    idle: Node,
) -> None:
    idle.guest_output("mkdir", "-p", "/run/puad/config.d")
    text = "[update]\nretries = 3\n"
    idle.machine.guest.write("/run/puad/config.d/90-wrong.toml", text)
    idle.machine.guest.run(["systemctl", "restart", "puad.service"])
    log = idle.guest_output("journalctl", "--no-pager", "-u", "puad.service", "-b")
    assert "90-wrong.toml" in log
    assert "retries" in log
    idle.guest_output("rm", "/run/puad/config.d/90-wrong.toml")
    idle.machine.guest.write("/var/lib/puad/node.d/90-wrong.toml", '[paths]\nrun = "/tmp"\n')
    idle.guest_output("sync")
    idle.machine.cut_power()
    idle.power_on()
    idle.wait_slot("a")
    wanted = ["systemctl", "is-active", "multi-user.target"]
    wait_for("the boot", lambda: idle.machine.guest.run(wanted).code == 0, BOOT_S)
    state = idle.machine.guest.run(["systemctl", "is-failed", "puad.service"])
    assert state.stdout.strip() == "failed"
    log = idle.guest_output("journalctl", "--no-pager", "-u", "puad.service", "-b")
    assert "90-wrong.toml" in log
    assert "[paths] may not be set here" in log
