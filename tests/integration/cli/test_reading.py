# SPDX-License-Identifier: Apache-2.0
"""Commands that change nothing."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from puad.core.errors import Code
from puad.render import history_document, status_document
from tests.integration.cli.puadctl import (
    AGENT,
    BOOTLOADER,
    Puadctl,
    boot_control,
    command,
    environment,
    failure,
    status,
)
from tests.unit.render.views import DOWNLOADING, HISTORY, OFFERED

pytestmark = pytest.mark.dbus

Start = Callable[[str, dict[str, Any]], Any]
Run = Callable[..., Puadctl]
GOLDEN = Path(__file__).parents[2] / "golden"


def test_status_shows_what_the_daemon_says(puadctl: Run, scripted: Start) -> None:
    scripted(AGENT, {"methods": {"Status": [status(DOWNLOADING)]}})
    text, document, quiet = puadctl("status"), puadctl("status", "--json"), puadctl("status", "-q")
    assert text.out == (GOLDEN / "status" / "downloading.txt").read_text("utf-8")
    assert document.document == status_document(DOWNLOADING)
    assert quiet.out == ""
    assert (text.code, document.code, quiet.code) == (0, 0, 0)
    assert text.err == document.err == quiet.err == ""


def test_status_without_a_daemon_shows_the_slots(puadctl: Run, scripted: Start) -> None:
    scripted(BOOTLOADER, {"properties": boot_control()})
    text, document = puadctl("status"), puadctl("status", "--json")
    assert (text.code, document.code) == (69, 69)
    assert "a     booted    good" in text.out
    assert "puad does not run" in text.err
    assert "hint: Start puad.service" in text.err
    assert document.document["error"]["code"] == "agent-absent"
    assert document.document["changed"] is False
    assert [slot["name"] for slot in document.document["slots"]] == ["a", "b"]


def test_status_with_nothing_running_says_so(puadctl: Run) -> None:
    answer = puadctl("status")
    assert answer.code == 69
    assert answer.out == ""
    assert "puad does not run (org.puad.Agent1)" in answer.err


@pytest.mark.parametrize("words", [["status"], ["slots"], ["check"], ["history"], ["cancel"]])
def test_failure_in_json_says_that_nothing_changed(puadctl: Run, words: list[str]) -> None:
    document = puadctl(*words, "--json").document
    assert document.keys() == {"api_version", "changed", "error"}
    assert document["changed"] is False
    assert document["error"].keys() == {"code", "text", "hint", "exit_code"}


def test_status_without_a_bus_says_so(puadctl: Run, tmp_path: Path) -> None:
    answer = puadctl("status", DBUS_SYSTEM_BUS_ADDRESS=f"unix:path={tmp_path}/nothing")
    assert answer.code == 69


def test_status_of_another_release_is_no_traceback(puadctl: Run, scripted: Start) -> None:
    scripted(AGENT, {"methods": {"Status": [{"returns": ["(s)", ['{"node": []}']]}]}})
    answer = puadctl("status")
    assert answer.code == 70
    assert "of different releases" in answer.err


def test_slots_need_no_daemon(puadctl: Run, scripted: Start) -> None:
    scripted(BOOTLOADER, {"properties": boot_control()})
    text, document = puadctl("slots"), puadctl("slots", "--json")
    assert "(simulated) tries slot a, then slot b" in text.out
    assert document.document["booted_slot"] == "a"
    assert document.document["slots"][0]["size_bytes"] == 4 << 30
    assert (text.code, document.code) == (0, 0)


def test_slots_without_boot_control_is_unavailable(puadctl: Run) -> None:
    answer = puadctl("slots", "--json")
    assert answer.code == 69
    assert answer.document["error"]["code"] == "boot-control-absent"


def test_history_shows_past_runs(puadctl: Run, scripted: Start) -> None:
    body = history_document(HISTORY)
    scripted(AGENT, {"methods": {"History": [{"returns": ["(s)", [json.dumps(body)]]}]}})
    assert puadctl("history").out == (GOLDEN / "history.txt").read_text("utf-8")
    assert [run["id"] for run in puadctl("history", "--json").document["runs"]] == [
        "r3",
        "r2",
        "r1",
        "r0.5",
        "r0",
        "r-1",
        "r-2",
    ]


def test_check_shows_the_fresh_status(puadctl: Run, scripted: Start) -> None:
    agent = scripted(AGENT, {"methods": {"Check": [status(OFFERED)]}})
    assert "13.2 will be installed" in puadctl("check").out
    assert len(agent.calls("Check")) == 1


def test_check_tells_why_the_server_did_not_answer(puadctl: Run, scripted: Start) -> None:
    refused = failure(Code.SERVER_UNREACHABLE, "The orchestrator could not be asked (https://x)")
    scripted(AGENT, {"methods": {"Check": [refused]}})
    answer = puadctl("check")
    assert answer.code == 75
    assert answer.err.splitlines() == [
        "puadctl: The orchestrator could not be asked (https://x)",
        "hint: Check the network and server.url; puad tries again by itself.",
    ]


def test_config_show_tells_values_and_origins(puadctl: Run, tmp_path: Path) -> None:
    fragment = tmp_path / "50-site.toml"
    fragment.write_text('[server]\nurl = "https://orchestrator.example"\n')
    text = puadctl("--config-dir", tmp_path, "config", "show")
    document = puadctl("--config-dir", tmp_path, "config", "show", "--json").document
    assert f'server.url = "https://orchestrator.example"\n    # {fragment}\n' in text.out
    assert "update.tries = 3\n" in text.out
    rows = {row["key"]: row for row in document["settings"]}
    assert rows["server.url"]["origin"] == str(fragment)
    assert rows["update.tries"] == {"key": "update.tries", "value": 3, "origin": "default"}


def test_config_show_names_the_fault(puadctl: Run, tmp_path: Path) -> None:
    (tmp_path / "50.toml").write_text('[server]\nulr = "x"\n')
    answer = puadctl("--config-dir", tmp_path, "config", "show")
    assert answer.code == 78
    assert str(tmp_path) in answer.err


def test_config_show_of_a_folder_that_does_not_exist_fails(puadctl: Run, tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    answer = puadctl("--config-dir", tmp_path, "--config-dir", absent, "config", "show")
    assert (answer.code, answer.out) == (78, "")
    assert answer.err.startswith(f"puadctl: there is no folder {absent} (--config-dir)\nhint: ")


def test_reader_that_goes_away_is_no_traceback(system_bus: str, tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("--config-dir", tmp_path, "config", "show"),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    complaint = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 74
    assert complaint == b""


@pytest.mark.parametrize("words", [["config", "show"], ["config", "show", "--json"], ["--help"]])
def test_output_on_a_full_disk_is_no_traceback(system_bus: str, words: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command(*words), env=environment(), stdout=full, stderr=subprocess.PIPE, check=False
        )
    what = b"puadctl: the output cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (74, what)


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colour_is_for_terminals_that_want_it(
    scripted: Start, system_bus: str, variables: dict[str, str]
) -> None:
    scripted(AGENT, {"methods": {"Status": [status(OFFERED)]}})
    inside, outside = os.openpty()
    changed = {"TERM": "xterm", **variables}
    with subprocess.Popen(command("status"), env=environment(**changed), stdout=outside) as process:
        os.close(outside)
        shown = b""
        while piece := read(inside):
            shown += piece
    os.close(inside)
    assert process.returncode == 0
    assert b"13.1" in shown
    assert (b"\x1b[" in shown) == (not variables)


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how a pseudo terminal says that nobody writes any more
        return b""
