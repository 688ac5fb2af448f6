# SPDX-License-Identifier: Apache-2.0
"""`puadctl run` and `install`: begin a run and follow it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from puad.core.errors import Code
from puad.render import ProgressView, RunView, StatusView, cause_from_code
from puad.system_bus import connected
from tests.integration.cli.puadctl import (
    AGENT,
    Puadctl,
    Step,
    command,
    environment,
    failure,
    status,
)
from tests.unit.render.views import ARMED, IMAGE, UP_TO_DATE

pytestmark = pytest.mark.dbus

Start = Callable[[str, dict[str, Any]], Any]
Run = Callable[..., Puadctl]
RUN_ID = "r7"
BEGAN: Step = {"returns": ["(s)", [RUN_ID]]}


def in_state(state: str, *, operator: bool = True, code: Code | None = None) -> StatusView:
    cause = cause_from_code(code, "It went wrong (slot b)") if code else None
    run = RunView(RUN_ID, state, IMAGE, "b", 3, operator=operator, cause=cause)
    return replace(ARMED, run=run)


def reach(before: str, view: StatusView) -> list[Step]:
    """The daemon's run changes its state."""
    return [
        {"method": "Status", "reply": [status(view)]},
        {"signal": "StateChanged", "values": ["(sss)", [RUN_ID, before, view.state]]},
    ]


def fetched(done: int) -> Step:
    return {"property": "Progress", "value": ["(tts)", [done << 20, 100 << 20, "fetch"]]}


def script(*steps: Step, first: StatusView | None = None, verb: str = "Run") -> dict[str, Any]:
    """A daemon that begins a run and then plays the steps."""
    began = {"method": "Status", "reply": [status(first or in_state("DOWNLOADING"))]}
    return {
        "properties": {"State": ["s", "IDLE"], "Progress": ["(tts)", [0, 0, ""]]},
        "methods": {
            verb: [began, BEGAN, {"after_ms": 300}, *steps],
            "Status": [status(UP_TO_DATE)],
        },
    }


def going_down() -> list[Step]:
    """The run is armed; when the status has been read once more, the node is gone."""
    gone = {"method": "Status", "reply": [{"exit": True}]}
    return [{"method": "Status", "reply": [gone, status(in_state("ARMED"))]}]


def to_armed() -> list[Step]:
    return [
        fetched(10),
        fetched(100),
        *reach("DOWNLOADING", in_state("STAGED")),
        {"after_ms": 100},
        *going_down(),
        {"signal": "StateChanged", "values": ["(sss)", [RUN_ID, "STAGED", "ARMED"]]},
    ]


def test_run_is_followed_until_the_node_goes_down(puadctl: Run, scripted: Start) -> None:
    scripted(AGENT, script(*to_armed()))
    answer = puadctl("run")
    assert answer.code == 0
    assert answer.out.splitlines() == [
        "Update run r7",
        "Fetching the image and writing it to its slot.",
        "The image is written and sealed.",
        "Setting the boot target and rebooting.",
        "ARMED 13.2 on slot b with 3 tries, the node reboots",
    ]
    assert answer.err == "", "a progress bar is for terminals"


@pytest.mark.parametrize("code", [Code.ARM_REFUSED, Code.REBOOT_FAILED])
def test_run_that_is_refused_after_it_was_armed_has_failed(
    puadctl: Run, scripted: Start, code: Code
) -> None:
    armed = reach("DOWNLOADING", in_state("ARMED"))
    refused = reach("ARMED", in_state("FAILED", code=code))
    scripted(AGENT, script(*armed, {"after_ms": 2500}, *refused))
    answer = puadctl("run", "--json")
    assert answer.code == 71
    assert (answer.document["state"], answer.document["error"]["code"]) == ("FAILED", code.value)


def test_run_whose_bus_goes_down_with_the_node_is_armed(scripted: Start) -> None:
    with connected() as bus:
        bus_daemon = bus.dbus.GetConnectionUnixProcessID("org.freedesktop.DBus")
    agent = scripted(AGENT, script(*reach("DOWNLOADING", in_state("ARMED"))))
    with subprocess.Popen(
        command("run", "--json"),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while len(agent.calls("Status")) < 3:  # the armed run has been seen
            time.sleep(0.02)
        os.kill(bus_daemon, signal.SIGKILL)
        out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    assert json.loads(out)["state"] == "ARMED"


def test_run_in_json_is_one_document(puadctl: Run, scripted: Start) -> None:
    scripted(AGENT, script(*to_armed()))
    answer = puadctl("run", "--json")
    assert answer.document == {
        "api_version": "puad/v1",
        "changed": True,
        "run_id": RUN_ID,
        "state": "ARMED",
    }


def progress_of(*words: object) -> tuple[int, list[dict[str, Any]]]:
    inside, outside = os.pipe()
    done = subprocess.run(
        command("run", "--quiet", "--progress-fd", outside, *words),
        env=environment(),
        pass_fds=[outside],
        timeout=120,
        check=False,
    )
    os.close(outside)
    with os.fdopen(inside) as lines:
        return done.returncode, [json.loads(line) for line in lines]


def test_progress_fd_gets_every_step_as_a_json_line(scripted: Start) -> None:
    scripted(AGENT, script(*to_armed()))
    code, lines = progress_of()
    assert code == 0
    assert [line["type"] for line in lines] == [
        "started",
        "state",
        "progress",
        "progress",
        "state",
        "state",
        "ended",
    ]
    assert lines[2] == {
        "type": "progress",
        "run_id": RUN_ID,
        "phase": "fetch",
        "done_bytes": 10 << 20,
        "total_bytes": 100 << 20,
        "bytes_s": None,
        "left_s": None,
        "fetched_bytes": 0,
        "paused": "",
    }
    assert [(line["before"], line["state"]) for line in lines if line["type"] == "state"] == [
        ("IDLE", "DOWNLOADING"),
        ("DOWNLOADING", "STAGED"),
        ("STAGED", "ARMED"),
    ]
    assert lines[-1] == {"type": "ended", "run_id": RUN_ID, "state": "ARMED", "error": None}


def test_rate_and_pause_of_the_status_are_told_with_each_signal(scripted: Start) -> None:
    paused = ProgressView("fetch", 10 << 20, 100 << 20, None, None, 5, "load 5.2 above 4.0")
    going_on = replace(paused, done_bytes=20 << 20, bytes_s=7, left_s=9, paused="")
    (down,) = going_down()
    then: list[Step] = [fetched(90), *down["reply"]]
    for shown in (going_on, paused):  # each is told once, then what comes after it
        view = replace(in_state("DOWNLOADING"), progress=shown)
        then = [{"method": "Status", "reply": then}, status(view)]
    scripted(AGENT, script({"method": "Status", "reply": then}))
    code, lines = progress_of()
    assert code == 0
    told = [line for line in lines if line["type"] == "progress"]
    assert told[0]["paused"] == "load 5.2 above 4.0"
    assert told[1] == {**told[0], "done_bytes": 20 << 20, "bytes_s": 7, "left_s": 9, "paused": ""}
    assert told[2] == {**told[1], "done_bytes": 90 << 20}


def test_progress_fd_that_nobody_reads_stops_nothing(scripted: Start) -> None:
    scripted(AGENT, script(*to_armed()))
    inside, outside = os.pipe()
    os.close(inside)
    done = subprocess.run(
        command("run", "--quiet", "--progress-fd", outside),
        env=environment(),
        pass_fds=[outside],
        timeout=120,
        check=False,
    )
    os.close(outside)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("state", "code", "exit_code"),
    [
        ("FAILED", Code.HASH_MISMATCH, 65),
        ("FAILED", Code.DOWNLOAD_UNREACHABLE, 75),
        ("FAILED", Code.SLOT_WRITE_FAILED, 74),
        ("ROLLED_BACK", Code.PROBE_FAILED, 65),
        ("FAILED", None, 70),
    ],
)
def test_run_that_fails_tells_why(
    puadctl: Run, scripted: Start, state: str, code: Code | None, exit_code: int
) -> None:
    scripted(AGENT, script(*reach("DOWNLOADING", in_state(state, code=code))))
    answer = puadctl("run", "--json")
    assert answer.code == exit_code
    document = answer.document
    assert (document["changed"], document["run_id"], document["state"]) == (True, RUN_ID, state)
    assert document["error"]["code"] == (code.value if code else "internal")
    assert "hint: " in answer.err


def test_failure_is_in_the_last_progress_line(scripted: Start) -> None:
    failed = in_state("FAILED", code=Code.HASH_MISMATCH)
    scripted(AGENT, script(*reach("DOWNLOADING", failed)))
    code, lines = progress_of()
    assert code == 65
    assert lines[-1]["error"]["code"] == "hash-mismatch"


def test_run_that_somebody_stops_is_told_as_cancelled(puadctl: Run, scripted: Start) -> None:
    scripted(AGENT, script(*reach("DOWNLOADING", UP_TO_DATE)))
    answer = puadctl("run")
    assert answer.code == 75
    assert "The run was stopped (r7)" in answer.err


def test_run_that_waits_for_its_window_is_not_waited_for(puadctl: Run, scripted: Start) -> None:
    staged = in_state("STAGED", operator=False)
    scripted(AGENT, script(*reach("DOWNLOADING", staged)))
    answer = puadctl("run", "--json")
    assert answer.code == 0
    assert answer.document["state"] == "STAGED"


def test_run_that_is_over_at_once_is_told(puadctl: Run, scripted: Start) -> None:
    scripted(AGENT, script(first=in_state("FAILED", code=Code.BELOW_FLOOR)))
    assert puadctl("run").code == 65


def test_run_is_followed_without_any_signal(puadctl: Run, scripted: Start) -> None:
    scripted(AGENT, script(*going_down()))
    assert puadctl("run", "--json").document["state"] == "ARMED"


def test_signals_of_another_run_are_not_its_own(scripted: Start) -> None:
    other = {"signal": "StateChanged", "values": ["(sss)", ["r6", "STAGED", "FAILED"]]}
    scripted(AGENT, script(other, {"after_ms": 300}, *to_armed()))
    code, lines = progress_of()
    assert code == 0
    assert "FAILED" not in [line.get("state") for line in lines]


def test_no_wait_returns_when_the_run_has_begun(puadctl: Run, scripted: Start) -> None:
    scripted(AGENT, script())
    answer = puadctl("run", "--no-wait", "--json")
    assert answer.document == {
        "api_version": "puad/v1",
        "changed": True,
        "run_id": RUN_ID,
        "state": "DOWNLOADING",
    }


def test_run_that_cannot_begin_says_why(puadctl: Run, scripted: Start) -> None:
    scripted(AGENT, {"methods": {"Run": [failure(Code.BUSY, "An update run is on its way")]}})
    answer = puadctl("run")
    assert answer.code == 75
    assert "An update run is on its way" in answer.err


def test_run_outlives_a_daemon_that_starts_anew(scripted: Start, system_bus: str) -> None:
    first = scripted(AGENT, script({"exit": True}))
    with subprocess.Popen(
        command("run", "--json"),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert "puad is away" in process.stderr.readline()
        first.process.wait()
        (armed,) = going_down()
        scripted(AGENT, {"methods": {"Status": armed["reply"]}})
        out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert json.loads(out)["state"] == "ARMED"


def test_interrupt_leaves_the_run_alone(scripted: Start, system_bus: str) -> None:
    agent = scripted(AGENT, script(fetched(10)))
    inside, outside = os.pipe()
    with subprocess.Popen(
        command("run", "--json", "--progress-fd", outside),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[outside],
        text=True,
    ) as process:
        os.close(outside)
        with os.fdopen(inside) as lines:
            for line in lines:
                if json.loads(line)["type"] == "progress":
                    break
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert json.loads(out)["state"] == "DOWNLOADING"
    assert "the run goes on without puadctl" in err
    assert "`puadctl cancel` stops it" in err
    assert "Traceback" not in err
    assert agent.calls("Cancel") == []


def test_terminal_gets_a_progress_bar(scripted: Start, system_bus: str) -> None:
    scripted(AGENT, script(*to_armed()))
    inside, outside = os.openpty()
    with subprocess.Popen(
        command("run"),
        env=environment(TERM="xterm"),
        stdout=subprocess.DEVNULL,
        stderr=outside,
    ) as process:
        os.close(outside)
        shown = b""
        while piece := read(inside):
            shown += piece
    os.close(inside)
    assert process.returncode == 0
    assert b"fetch  10 %" in shown
    assert b"fetch 100 %" in shown
    assert shown.endswith(b"\r\x1b[K"), "the bar is cleared before what follows"


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how a pseudo terminal says that nobody writes any more
        return b""


def test_install_passes_the_opened_folder(puadctl: Run, scripted: Start, tmp_path: Path) -> None:
    for name in ("metadata", "targets"):
        (tmp_path / "release" / name).mkdir(parents=True)
    agent = scripted(AGENT, script(*to_armed(), verb="Install"))
    answer = puadctl("install", tmp_path / "release", "--json")
    assert (answer.code, answer.document["state"]) == (0, "ARMED")
    (call,) = agent.calls("Install")
    assert call["files"] == ["metadata,targets"]


@pytest.mark.parametrize("kind", ["absent", "file"])
def test_install_of_no_folder_asks_nobody(puadctl: Run, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "release"
    if kind == "file":
        path.write_text("x")
    answer = puadctl("install", path)
    assert answer.code == 66
    assert str(path) in answer.err


def test_install_that_is_refused_says_why(puadctl: Run, scripted: Start, tmp_path: Path) -> None:
    refused = failure(Code.SIGNATURE_INVALID, "The root metadata are not signed (1.root.json)")
    scripted(AGENT, {"methods": {"Install": [refused]}})
    assert puadctl("install", tmp_path).code == 65
