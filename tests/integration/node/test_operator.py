# SPDX-License-Identifier: Apache-2.0
"""The operator's word at a real node: install, cancel, retry, rollback; and a stop at any point."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from tests.integration.node.fleet import Fleet
from tests.integration.node.rig import PROFILE, Rig, Window


def updated_by_folder(rig: Rig, fleet: Fleet, tmp_path: Path) -> None:
    """Bring the node to 2.0 from an exported repository, without a server's word."""
    exported = tmp_path / "exported"
    fleet.releases.run("export", exported, "--profile", PROFILE, "--version", "2.0")
    rig.power_on()
    rig.wait_for_state("IDLE")
    rig.wait(lambda: rig.status().get("slots"), "boot control answers")
    done = rig.puadctl("install", str(exported), "--no-wait")
    assert done.returncode == 0, done.stderr
    rig.wait(lambda: rig.stored().get("installed"), "the update is done")


def test_install_from_a_folder_needs_no_policy_and_no_window(
    rig: Rig, fleet: Fleet, tmp_path: Path
) -> None:
    updated_by_folder(rig, fleet, tmp_path)

    assert rig.booted == "b"
    assert rig.status()["node"]["image_id"] == "2.0"
    (past,) = json.loads(rig.puadctl("history", "--json").stdout)["runs"]
    assert (past["state"], past["operator"]) == ("DONE", True)


def test_rollback_goes_back_and_quarantines_until_retry(
    rig: Rig, fleet: Fleet, tmp_path: Path
) -> None:
    updated_by_folder(rig, fleet, tmp_path)
    rig.wait(lambda: rig.status().get("slots"), "the slots are known")

    done = rig.puadctl("rollback", "--no-wait")
    assert done.returncode == 0, done.stderr
    rig.settle("ROLLED_BACK")

    assert rig.booted == "a"
    assert rig.cause() == "rolled-back-by-operator"
    rig.wait(lambda: rig.status().get("quarantine"), "the image is quarantined")
    assert rig.puadctl("retry").returncode == 0
    rig.wait_for_state("IDLE")
    assert rig.status()["quarantine"] == []


def test_cancel_disarms_and_is_no_failure(rig: Rig, fleet: Fleet, window: Window) -> None:
    rig.server.link(fleet.target("2.0"))
    window(rig, 3600)
    rig.power_on()
    rig.wait(lambda: rig.status().get("download_at"), "a download is planned")
    begun = rig.puadctl("run", "--no-wait")
    assert begun.returncode == 0, begun.stderr
    rig.wait_for_state("DOWNLOADING", "STAGED")

    done = rig.puadctl("cancel", "--json")

    rig.wait_for_state("IDLE")
    rig.wait(
        lambda: rig.server.instance()["updateStatus"] == "No new updates available",
        "the server knows",
    )
    assert json.loads(done.stdout)["changed"] is True
    assert json.loads(rig.puadctl("cancel", "--json").stdout)["changed"] is False
    assert not list(rig.machine.boot_loader().boot_folder("b").glob("*"))
    assert rig.stored()["held"] != ""


def test_staged_image_waits_for_its_window_and_goes_when_the_policy_goes(
    rig: Rig, fleet: Fleet, window: Window
) -> None:
    rig.server.link(fleet.target("2.0"))
    window(rig, 30)
    config = rig.folder / "config/20-early.toml"
    config.write_text("[update]\ndownload_window_s = 604800\nimmediate_download_window_s = 60\n")
    rig.power_on()
    rig.wait_for_state("STAGED")
    slots = {slot["name"]: slot for slot in rig.status()["slots"]}
    assert rig.status()["window"]["open"] is False

    assert rig.server.link("").status_code == 200
    rig.wait_for_state("IDLE")

    assert rig.boots == 1
    assert slots["a"]["assessment"] == "good"
    rig.wait(
        lambda: rig.server.instance()["updateStatus"] == "No new updates available",
        "the server knows",
    )


def defer_reboots(rig: Rig) -> Path:
    """A hook that defers every reboot while a file is there."""
    busy = rig.folder / "busy"
    busy.touch()
    hook = rig.folder / "pre-reboot.d/10-till"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntest -e {busy} || exit 0\necho a sale is open\nexit 75\n")
    hook.chmod(0o755)
    return busy


def held_by(rig: Rig) -> str:
    """Who defers the reboot now, as the status says."""
    hold = (rig.status().get("run") or {}).get("hold") or {}
    return hold.get("by", "") if hold.get("lasts") else ""


def test_hook_holds_the_reboot_up_until_it_lets_go(rig: Rig, fleet: Fleet, window: Window) -> None:
    busy = defer_reboots(rig)
    rig.server.link(fleet.target("2.0"))
    window(rig, 5)
    rig.power_on()
    rig.wait(lambda: held_by(rig), "the reboot is held up")

    assert (rig.state(), rig.boots) == ("STAGED", 1)
    assert held_by(rig) == "hook 10-till: a sale is open"
    text = rig.puadctl("status").stdout
    assert "Held up       by hook 10-till: a sale is open" in text
    busy.unlink()
    rig.wait(lambda: rig.stored().get("installed"), "the update is done")

    assert rig.booted == "b"
    assert "held up from" in rig.puadctl("history").stdout
    (past,) = json.loads(rig.puadctl("history", "--json").stdout)["runs"]
    assert past["hold"]["until"] is not None


def test_operators_run_overrides_a_hook_that_holds_the_reboot_up(
    rig: Rig, fleet: Fleet, window: Window
) -> None:
    defer_reboots(rig)
    rig.server.link(fleet.target("2.0"))
    window(rig, 5)
    rig.power_on()
    rig.wait(lambda: held_by(rig), "the reboot is held up")

    done = rig.puadctl("run", "--no-wait")
    assert done.returncode == 0, done.stderr
    rig.wait(lambda: rig.stored().get("installed"), "the update is done")

    assert rig.booted == "b"
    assert "HOLD_OVERRIDDEN: An operator reboots the node" in rig.logs_of("puad")


def test_sigterm_in_mid_download_stops_cleanly_and_goes_on(
    rig: Rig, fleet: Fleet, window: Window
) -> None:
    rig.server.link(fleet.target("2.0"))
    window(rig, 1)
    rig.power_on()
    rig.wait_for_state("DOWNLOADING")

    code = rig.kill_agent(signal.SIGTERM)

    assert code == 0
    assert rig.state() == "DOWNLOADING"
    rig.start_agent()
    rig.wait(lambda: rig.stored().get("installed"), "the update is done")


def test_changing_calls_are_for_root_alone(rig: Rig) -> None:
    rig.power_on()
    rig.wait_for_state("IDLE")
    call = ["gdbus", "call", "--system", "-d", "org.puad.Agent1", "-o", "/org/puad/Agent1"]

    for method, allowed in (("Status", True), ("History", True), ("Cancel", False), ("Run", False)):
        argv = [*call, "-m", f"org.puad.Agent1.{method}"]
        done = rig.as_nobody(argv)
        assert ("NotAllowed" not in done.stderr) is allowed, (method, done)


def test_properties_are_those_of_the_contract(rig: Rig) -> None:
    rig.power_on()
    rig.wait_for_state("IDLE")
    call = ["gdbus", "call", "--system", "-d", "org.puad.Agent1", "-o", "/org/puad/Agent1"]
    properties = "org.freedesktop.DBus.Properties"

    everything = rig.as_nobody([*call, "-m", f"{properties}.GetAll", "org.puad.Agent1"])
    state = rig.as_nobody([*call, "-m", f"{properties}.Get", "org.puad.Agent1", "State"])
    unknown = rig.as_nobody([*call, "-m", f"{properties}.Get", "org.puad.Agent1", "Mood"])
    written = rig.as_nobody(
        [*call, "-m", f"{properties}.Set", "org.puad.Agent1", "State", "<'DONE'>"]
    )

    assert "'InterfaceVersion': <uint32 1>" in everything.stdout
    assert "'IDLE'" in state.stdout
    assert unknown.returncode != 0
    assert written.returncode != 0
    assert rig.state() == "IDLE"
