# SPDX-License-Identifier: Apache-2.0
"""Commands of one call that change something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from puad.cli.exit_codes import EXIT_CODES
from puad.core.errors import EXPLANATIONS, Code
from tests.integration.cli.puadctl import AGENT, BOOTLOADER, Puadctl, boot_control, failure, status
from tests.unit.render.views import GOING_BACK

pytestmark = pytest.mark.dbus

Start = Callable[[str, dict[str, Any]], Any]
Run = Callable[..., Puadctl]


@pytest.mark.parametrize("verb", ["cancel", "retry"])
@pytest.mark.parametrize("changed", [True, False])
def test_verb_tells_whether_something_changed(
    puadctl: Run, scripted: Start, verb: str, changed: bool
) -> None:
    scripted(AGENT, {"methods": {verb.capitalize(): [{"returns": ["(b)", [changed]]}]}})
    text, document = puadctl(verb), puadctl(verb, "--json")
    assert (text.code, document.code) == (0, 0)
    assert document.document == {"api_version": "puad/v1", "changed": changed}
    assert text.out.startswith("Nothing to do") != changed


def test_rollback_is_followed_until_the_node_goes_down(puadctl: Run, scripted: Start) -> None:
    assert GOING_BACK.run is not None
    gone = {"method": "Status", "reply": [{"exit": True}]}
    script = {
        "methods": {
            "Rollback": [{"returns": ["(s)", [GOING_BACK.run.id]]}],
            "Status": [gone, status(GOING_BACK)],
        }
    }
    scripted(AGENT, script)
    assert puadctl("rollback").out.splitlines() == [
        f"Update run {GOING_BACK.run.id}",
        "Setting the boot target and rebooting.",
        "ARMED: going back to slot a",
    ]
    scripted(AGENT, script)
    assert puadctl("rollback", "--json").document == {
        "api_version": "puad/v1",
        "changed": True,
        "run_id": GOING_BACK.run.id,
        "state": "ARMED",
    }


@pytest.mark.parametrize("verb", ["run", "cancel", "retry", "rollback"])
def test_nothing_to_do_is_success(puadctl: Run, scripted: Start, verb: str) -> None:
    nothing = failure(Code.NOTHING_TO_DO, "The offered image is running already (13.1)")
    scripted(AGENT, {"methods": {verb.capitalize(): [nothing]}})
    text, document = puadctl(verb), puadctl(verb, "--json")
    assert (text.code, document.code) == (0, 0)
    assert text.out == "Nothing to do: The offered image is running already (13.1)\n"
    assert document.document["changed"] is False
    assert text.err == ""


@pytest.mark.parametrize(
    "code", [Code.BUSY, Code.NOT_ALLOWED, Code.QUARANTINED, Code.BELOW_FLOOR, Code.NO_FALLBACK]
)
def test_refusal_of_the_daemon_is_explained(puadctl: Run, scripted: Start, code: Code) -> None:
    scripted(AGENT, {"methods": {"Rollback": [failure(code, "No (13.2)")]}})
    answer = puadctl("rollback")
    assert answer.code == EXIT_CODES[code]
    assert answer.err.splitlines() == ["puadctl: No (13.2)", f"hint: {EXPLANATIONS[code].hint}"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("org.freedesktop.DBus.Error.AccessDenied", 77),
        ("org.freedesktop.DBus.Error.NoReply", 69),
        ("org.puad.Agent1.Error.FromTheFuture", 70),
    ],
)
def test_foreign_error_has_an_exit_code(
    puadctl: Run, scripted: Start, error: str, code: int
) -> None:
    scripted(AGENT, {"methods": {"Cancel": [{"error": error, "message": "no"}]}})
    assert puadctl("cancel").code == code


def marking(before: str, after: str) -> dict[str, Any]:
    slots = boot_control(after)["Slots"]
    reply = [{"property": "Slots", "value": slots}, {"returns": ["()", []]}]
    return {
        "properties": boot_control(before),
        "methods": {"MarkGood": reply, "MarkBad": reply},
    }


@pytest.mark.parametrize(("verdict", "method"), [("good", "MarkGood"), ("bad", "MarkBad")])
def test_mark_works_without_a_daemon(
    puadctl: Run, scripted: Start, verdict: str, method: str
) -> None:
    control = scripted(BOOTLOADER, marking("indeterminate", verdict))
    first, second = puadctl("mark", verdict, "--json"), puadctl("mark", verdict)
    assert (first.code, second.code) == (0, 0)
    assert first.document == {
        "api_version": "puad/v1",
        "changed": True,
        "slot": "a",
        "assessment": verdict,
    }
    assert second.out == f"Slot a is already marked {verdict}.\n"
    assert [call["values"] for call in control.calls(method)] == [["a"], ["a"]]


def test_mark_that_is_not_read_back_fails(puadctl: Run, scripted: Start) -> None:
    scripted(BOOTLOADER, marking("indeterminate", "indeterminate"))
    answer = puadctl("mark", "good")
    assert answer.code == 71
    assert "says indeterminate after the mark good (slot a)" in answer.err


def test_mark_that_is_refused_names_the_rule(puadctl: Run, scripted: Start) -> None:
    refusal = {"error": f"{BOOTLOADER}.Error.BootNotComplete", "message": "too early"}
    script = {"properties": boot_control(), "methods": {"MarkGood": [refusal]}}
    scripted(BOOTLOADER, script)
    answer = puadctl("mark", "good")
    assert answer.code == 71
    assert "Boot control refused MarkGood: too early (BootNotComplete)" in answer.err
