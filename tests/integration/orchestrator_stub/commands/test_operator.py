# SPDX-License-Identifier: Apache-2.0
"""`operator`: people are let in and out, and their passwords are seen by nobody."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator_stub.access.access import Access, Login
from orchestrator_stub.commands.command import open_database
from orchestrator_stub.data_directory import DataDirectory
from orchestrator_stub.errors import OrchestratorError
from orchestrator_stub.main import main
from tests.integration.orchestrator_stub.commands.given import PASSWORD, Facts, Told

ADD = ("operator", "add", "ada", "--password-stdin")


def can_log_in(directory: DataDirectory, password: str, name: str = "ada") -> bool:
    with open_database(directory) as database:
        access = Access(database, "o" * 43)
        try:
            access.log_in(Login(name, password, "192.0.2.1"), int(time.time()))
        except OrchestratorError:
            return False
    return True


def test_operator_is_made_with_a_password_from_standard_input(
    directory: DataDirectory, facts: Facts
) -> None:
    made = facts(*ADD, stdin=f"{PASSWORD}\nmore\n")
    assert made == {"name": "ada", "made": True, "project": "default", "scope": "write"}
    assert can_log_in(directory, PASSWORD)
    assert not can_log_in(directory, f"{PASSWORD}\nmore")


def test_operator_is_let_into_a_second_project_and_out_again(
    directory: DataDirectory, facts: Facts, told: Told
) -> None:
    facts(*ADD, stdin=PASSWORD)
    second = facts("project", "add", "second")["project_uuid"]
    words = ("operator", "add", "ada", "--project", second, "--scope", "read")
    assert facts(*words)["made"] is False
    assert told(*words)[0] == os.EX_CANTCREAT
    (row,) = facts("operator", "list")["operators"]
    places = [(place["project"], place["scope"]) for place in row["projects"]]
    assert places == [("default", "write"), ("second", "read")]
    assert "ada  may write default, may read second" in told("operator", "list")[1]
    facts("operator", "add", "ada", "--project", "second", "--scope", "write")
    facts("operator", "remove", "ada", "--project", "second")
    (row,) = facts("operator", "list")["operators"]
    assert [place["project"] for place in row["projects"]] == ["default"]
    assert told("operator", "remove", "ada", "--project", "second")[0] == os.EX_NOINPUT
    gone: dict[str, object] = {"name": "ada", "project": None, "tokens_left": []}
    assert facts("operator", "remove", "Ada") == gone
    assert facts("operator", "list") == {"operators": []}
    assert "operator add NAME" in told("operator", "list")[1]
    assert not can_log_in(directory, PASSWORD)


def test_removal_tells_of_the_tokens_that_stay(
    directory: DataDirectory, facts: Facts, told: Told
) -> None:
    facts("project", "add", "second")
    for name in ("eve", "ada"):
        facts("operator", "add", name, "--password-stdin", stdin=PASSWORD)
        facts("operator", "add", name, "--project", "second")
    for project in ("default", "second"):
        facts("token", "add", f"of-{project}", "--project", project)
    here = {"project": "default", "name": "of-default"}
    there = {"project": "second", "name": "of-second"}
    assert facts("operator", "remove", "eve", "--project", "second")["tokens_left"] == [there]
    assert facts("operator", "remove", "eve")["tokens_left"] == [here]
    text = told("operator", "remove", "ada")[1]
    assert "puad-orchestrator token revoke of-default --project default" in text
    assert "puad-orchestrator token revoke of-second --project second" in text


def test_password_is_changed_and_sessions_end(directory: DataDirectory, facts: Facts) -> None:
    facts(*ADD, stdin=PASSWORD)
    now_s = int(time.time())
    with open_database(directory) as database:
        access = Access(database, "o" * 43)
        opened = access.log_in(Login("ada", PASSWORD, "192.0.2.1"), now_s)
        facts("operator", "passwd", "ada", "--password-stdin", stdin="nine blue submarines\n")
        assert access.browser(opened.cookie, now_s) is None
    assert can_log_in(directory, "nine blue submarines")
    assert not can_log_in(directory, PASSWORD)


@pytest.mark.parametrize(
    ("words", "stdin", "status", "says"),
    [
        (ADD, "short\n", os.EX_USAGE, "12 to 256 characters"),
        (ADD, "", os.EX_USAGE, "12 to 256 characters"),
        (ADD, "x" * 5000, os.EX_USAGE, "12 to 256 characters"),
        (("operator", "add", "ada"), "", os.EX_USAGE, "--password-stdin"),
        (("operator", "add", "a b", "--password-stdin"), PASSWORD, os.EX_USAGE, "'a b'"),
        ((*ADD, "--project", "none"), PASSWORD, os.EX_NOINPUT, "there is no project none"),
        (("operator", "passwd", "eve", "--password-stdin"), PASSWORD, os.EX_NOINPUT, "eve"),
        (("operator", "remove", "eve"), "", os.EX_NOINPUT, "there is no operator eve"),
    ],
)
def test_what_cannot_be_done_is_said_and_nobody_is_made(
    facts: Facts, told: Told, words: tuple[str, ...], stdin: str, status: int, says: str
) -> None:
    got, out, err = told(*words, stdin=stdin)
    assert (got, out) == (status, "")
    assert says in err
    assert "Traceback" not in err
    assert facts("operator", "list") == {"operators": []}


def test_operator_who_is_there_is_not_made_anew(
    directory: DataDirectory, facts: Facts, told: Told
) -> None:
    facts(*ADD, stdin=PASSWORD)
    status, _, err = told(*ADD, stdin="nine blue submarines")
    assert status == os.EX_CANTCREAT
    assert "operator passwd" in err
    assert can_log_in(directory, PASSWORD)


def test_password_is_never_shown_and_only_its_hash_is_stored(
    directory: DataDirectory, told: Told
) -> None:
    for words in (ADD, (*ADD, "--json"), ("operator", "passwd", "ada", "--password-stdin")):
        _, out, err = told(*words, stdin=PASSWORD)
        assert PASSWORD not in out + err
    for file in directory.path.rglob("*"):
        assert not file.is_file() or PASSWORD.encode() not in file.read_bytes()


def ask(directory: DataDirectory, *answers: str) -> tuple[int, str]:
    """Run `operator add` at a terminal of its own, where somebody types the answers."""
    ours, theirs = pty.openpty()
    at_terminal = ["/usr/bin/setsid", "--ctty", "--wait"]
    at_terminal += ["/usr/bin/env", "--default-signal=INT"]  # who runs tests may ignore it
    program = [sys.executable, "-W", "error", "-m", "orchestrator_stub", "operator", "add", "ada"]
    process = subprocess.Popen(
        [*at_terminal, *program, "--data-dir", str(directory.path)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    seen = b""
    for number, answer in enumerate(answers, 1):
        while seen.count(b": ") < number:  # what is typed before the prompt is thrown away
            seen += os.read(ours, 1000)
        os.write(ours, answer.encode() + b"\n")
    with contextlib.suppress(OSError):  # nobody is at the other end any more
        while piece := os.read(ours, 1000):
            seen += piece
    os.close(ours)
    return process.wait(120), seen.decode()


def test_password_is_asked_for_twice_at_a_terminal_and_not_echoed(
    directory: DataDirectory,
) -> None:
    status, seen = ask(directory, PASSWORD, PASSWORD)
    assert status == 0, seen
    assert PASSWORD not in seen
    assert "Made operator ada" in seen
    assert can_log_in(directory, PASSWORD)


def test_two_passwords_that_differ_make_nobody(directory: DataDirectory, facts: Facts) -> None:
    status, seen = ask(directory, PASSWORD, PASSWORD + "x")
    assert status == os.EX_USAGE
    assert "differ" in seen
    assert PASSWORD not in seen
    assert facts("operator", "list") == {"operators": []}


def test_help_of_the_noun_names_its_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["operator", "--help"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    assert all(word in said for word in ("add", "passwd", "list", "remove"))


def test_password_file_is_read_by_redirection(directory: DataDirectory, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    command = [sys.executable, "-W", "error", "-m", "orchestrator_stub", *ADD]
    with file.open() as stdin:
        done = subprocess.run(
            [*command, "--data-dir", str(directory.path)],
            stdin=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert can_log_in(directory, PASSWORD)


def test_password_that_is_too_short_is_refused_before_it_is_asked_for_again(
    directory: DataDirectory,
) -> None:
    status, seen = ask(directory, "short")
    assert status == os.EX_USAGE
    assert "at least 12 characters: " in seen
    assert "12 to 256 characters" in seen
    assert "The same again" not in seen


@pytest.mark.parametrize(
    ("key", "status", "said"),
    [
        ("\x03", 130, "puad-orchestrator: interrupted"),
        ("\x04", os.EX_USAGE, "puad-orchestrator: no password was given"),
    ],
)
def test_whoever_leaves_the_question_makes_nobody(
    directory: DataDirectory, facts: Facts, key: str, status: int, said: str
) -> None:
    ended, seen = ask(directory, key)
    assert ended == status, seen
    assert said in seen.splitlines()
    assert "Traceback" not in seen
    assert facts("operator", "list") == {"operators": []}


def test_commands_that_are_told_are_for_the_same_directory(
    directory: DataDirectory, told: Told
) -> None:
    same = f"--data-dir {directory.path}"
    assert f"operator add NAME {same}`" in told("operator", "list")[1]
    assert f"--project north {same}\n" in told("project", "add", "north")[1]


def test_reader_that_goes_away_is_exit_code_74_and_no_trace(directory: DataDirectory) -> None:
    command = [sys.executable, "-m", "orchestrator_stub", "operator", "list"]
    theirs, ours = os.pipe()
    os.close(theirs)
    done = subprocess.run(
        [*command, "--data-dir", str(directory.path)],
        stdout=ours,
        stderr=subprocess.PIPE,
        timeout=120,
        check=False,
    )
    os.close(ours)
    assert (done.returncode, done.stderr) == (os.EX_IOERR, b"")
