# SPDX-License-Identifier: Apache-2.0
"""The probes that ask puad and systemd, on a real bus."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from puad.config import HealthSettings, Limits, ServerSettings, Settings
from puad.health.probe import Boot, Deadline, ProbeError
from puad.health.probes import known
from puad.system_bus import connected

pytestmark = pytest.mark.dbus

Start = Callable[[str, dict[str, Any]], Any]
_AGENT = "org.puad.Agent1"
_SETTINGS = replace(
    Settings(),
    server=ServerSettings(url="https://mm.example"),
    health=HealthSettings(agent_stable_s=1),
    limits=Limits(dbus_timeout_s=30),
)


def _says(text: str) -> dict[str, Any]:
    return {"methods": {"Status": [{"returns": ["(s)", [text]]}]}}


def _run(name: str, seconds: float = 60, settings: Settings = _SETTINGS) -> str:
    probe = known()[name](Boot(settings, None))
    return probe.run(Deadline(time.monotonic() + seconds))


def _fails(name: str, seconds: float, settings: Settings = _SETTINGS) -> str:
    with pytest.raises(ProbeError) as caught:
        _run(name, seconds, settings)
    return caught.value.what


def _stable_for(seconds: int) -> Settings:
    return replace(_SETTINGS, health=HealthSettings(agent_stable_s=seconds))


@pytest.mark.parametrize("name", ["agent", "systemd", "orchestrator"])
def test_probe_without_a_bus_fails(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/absent")
    assert "no system bus" in _fails(name, 60)


@pytest.mark.parametrize("name", ["agent", "systemd", "orchestrator"])
def test_probe_with_nobody_there_fails(name: str, system_bus: str) -> None:
    assert system_bus
    assert _fails(name, 1)


def test_agent_that_answers_long_enough_passes(scripted: Start) -> None:
    scripted(_AGENT, _says("{}"))
    assert "after 0 restarts" in _run("agent")


def test_agent_that_comes_up_late_passes(scripted: Start) -> None:
    timer = threading.Timer(1, lambda: scripted(_AGENT, _says("{}")))
    timer.start()
    try:
        assert "after 0 restarts" in _run("agent")
    finally:
        timer.join()


def test_agent_that_restarted_once_must_be_stable_from_then_on(scripted: Start) -> None:
    first = scripted(_AGENT, _says("{}"))
    began = time.monotonic()

    def restart() -> None:
        first.stop()
        scripted(_AGENT, _says("{}"))

    timer = threading.Timer(1, restart)
    timer.start()
    try:
        assert "after 1 restarts" in _run("agent", settings=_stable_for(4))
    finally:
        timer.join()
    assert time.monotonic() - began > 5, "the time begins anew with the restart"


def test_agent_that_never_stays_long_enough_fails(scripted: Start) -> None:
    scripted(_AGENT, _says("{}"))
    assert "did not stay up" in _fails("agent", 3, _stable_for(50))


@pytest.mark.parametrize("text", ["", "[]", "7", "{", "[" * 100_000])
def test_agent_whose_status_is_no_document_fails(scripted: Start, text: str) -> None:
    scripted(_AGENT, _says(text))
    assert "status is not" in _fails("agent", 1)


def test_agent_that_hangs_fails_by_the_deadline(scripted: Start) -> None:
    scripted(_AGENT, {"methods": {"Status": [{"hang": True}]}})
    assert "does not answer" in _fails("agent", 2)


def test_agent_that_is_stopped_fails_by_the_deadline(scripted: Start) -> None:
    process = scripted(_AGENT, _says("{}")).process
    process.send_signal(signal.SIGSTOP)
    assert "does not answer" in _fails("agent", 2)


def test_agent_that_dies_at_each_call_fails(scripted: Start) -> None:
    scripted(_AGENT, {"methods": {"Status": [{"exit": True}]}})
    assert "does not answer" in _fails("agent", 2)


def test_orchestrator_reached_passes(scripted: Start) -> None:
    scripted(_AGENT, _says(json.dumps({"server": {"reachable": True}})))
    assert _run("orchestrator") == "the orchestrator has answered"


@pytest.mark.parametrize(
    "document",
    [
        {"server": {"reachable": False}},
        {"server": {"reachable": None}},
        {"server": {"reachable": "yes"}},
        {"server": True},
        {},
    ],
)
def test_orchestrator_not_reached_fails(scripted: Start, document: dict[str, Any]) -> None:
    scripted(_AGENT, _says(json.dumps(document)))
    assert _fails("orchestrator", 1) == "puad has not reached the orchestrator"


class Systemd:
    def __init__(self, file: Path) -> None:
        self._file = file
        self.answer()

    def answer(self, **answers: Any) -> None:
        defaults = {"state": "starting", "jobs": [], "failed": [], "own_unit": ""}
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(defaults | answers))
        new.replace(self._file)


@pytest.fixture
def systemd(system_bus: str, tmp_path: Path) -> Iterator[Systemd]:
    assert system_bus
    answers = Systemd(tmp_path / "systemd.json")
    program = Path(__file__).with_name("fake_systemd.py")
    process = subprocess.Popen([sys.executable, program, tmp_path / "systemd.json"])
    try:
        until = time.monotonic() + 60
        with connected() as bus:
            while not bus.dbus.NameHasOwner("org.freedesktop.systemd1"):
                assert time.monotonic() < until
                time.sleep(0.05)
        yield answers
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("state", ["starting", "running", "degraded", "initializing"])
def test_systemd_without_failed_units_passes(systemd: Systemd, state: str) -> None:
    systemd.answer(state=state)
    assert _run("systemd") == f"systemd is in state {state}"


@pytest.mark.parametrize("state", ["maintenance", "stopping"])
def test_systemd_in_an_unhealthy_state_fails(systemd: Systemd, state: str) -> None:
    systemd.answer(state=state)
    assert _fails("systemd", 60) == f"systemd is in state {state}"


def test_systemd_with_failed_units_fails_and_names_them(systemd: Systemd) -> None:
    systemd.answer(state="degraded", failed=["a.service", "b.mount"])
    assert _fails("systemd", 60) == "units have failed: a.service, b.mount"


def test_systemd_with_many_failed_units_names_a_few(systemd: Systemd) -> None:
    systemd.answer(failed=[f"u{number}.service" for number in range(200)])
    what = _fails("systemd", 60)
    assert what.endswith("u7.service and 192 more")


OF_USERS = ["user@1000.service", "user-runtime-dir@0.service", "session-c2.scope"]


def test_systemd_does_not_look_at_what_users_have_running_or_failed(systemd: Systemd) -> None:
    # anybody can have a session of his own fail, and no image is to be given up for it
    failed = [*OF_USERS, "run-user-1000.mount", "user-1000.slice"]
    systemd.answer(jobs=[[unit, "running"] for unit in OF_USERS], failed=failed)
    assert _run("systemd") == "systemd is in state starting"
    systemd.answer(failed=[*failed, "user-database.service"])
    assert _fails("systemd", 60) == "units have failed: user-database.service"


def test_systemd_jobs_that_wait_and_the_probes_own_are_not_waited_for(systemd: Systemd) -> None:
    # boot-complete.target waits for this very process: waiting for it would never end
    jobs = [["puad-health.service", "running"], ["boot-complete.target", "waiting"]]
    systemd.answer(jobs=jobs, own_unit="puad-health.service")
    assert _run("systemd") == "systemd is in state starting"


def test_systemd_failure_of_a_job_that_still_runs_is_waited_for(systemd: Systemd) -> None:
    systemd.answer(jobs=[["late.service", "running"]])
    timer = threading.Timer(1, lambda: systemd.answer(failed=["late.service"]))
    timer.start()
    try:
        assert _fails("systemd", 60) == "units have failed: late.service"
    finally:
        timer.join()


def test_systemd_jobs_that_never_end_fail_at_the_deadline(systemd: Systemd) -> None:
    systemd.answer(jobs=[["stuck.service", "running"]], failed=["a.service"])
    what = _fails("systemd", 1)
    assert "jobs are running: stuck.service" in what
    assert "units have failed: a.service" in what


def test_probe_with_a_bus_that_goes_away_fails_and_does_not_end_the_process(
    scripted: Start,
) -> None:
    scripted(_AGENT, _says("{}"))
    with connected() as bus:
        daemon = int(bus.dbus.GetConnectionUnixProcessID("org.freedesktop.DBus"))
    timer = threading.Timer(1, lambda: os.kill(daemon, signal.SIGKILL))
    timer.start()
    try:
        assert _fails("agent", 5, _stable_for(50))
    finally:
        timer.join()
