# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import logging
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from puad import journal
from puad.core.run import State
from puad.journal import MessageId

_CATALOG = Path(__file__).parents[2] / "systemd" / "puad.catalog"

# Runs in a mount namespace of its own, where it plays journald: binds journald's socket, lets
# puad speak, and prints the entries that arrived.
_RECEIVER = """
import json, os, pathlib, socket, struct, subprocess, sys
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
pathlib.Path("/run/systemd/journal").mkdir(parents=True)
journald = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journald.bind("/run/systemd/journal/socket")
journald.settimeout(30)
stderr = os.fstat(2)
stream = f"{stderr.st_dev}:{stderr.st_ino}" if sys.argv[1] == "journal" else ""
env = os.environ | {"JOURNAL_STREAM": stream}
subprocess.run([sys.executable, "-c", sys.argv[2]], check=True, env=env)

def entry(data):
    fields = {}
    while data:
        line, _, data = data.partition(b"\\n")
        name, assigned, value = line.partition(b"=")
        if not assigned:
            (size,) = struct.unpack("<Q", data[:8])
            value, data = data[8:8 + size], data[9 + size:]
        fields[name.decode()] = value.decode()
    return fields

journald.setblocking(False)
entries = []
while True:
    try:
        entries.append(entry(journald.recv(1 << 20)))
    except BlockingIOError:
        break
print(json.dumps(entries))
"""


def _speak(code: str, *, stderr: str) -> tuple[list[dict[str, str]], str]:
    unshare = [shutil.which("unshare") or "unshare", "--mount", "--map-root-user"]
    done = subprocess.run(
        [*unshare, sys.executable, "-c", _RECEIVER, stderr, f"from puad import journal\n{code}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


_LIFECYCLE = """
journal.lifecycle(
    journal.MessageId.ROLLED_BACK, "two\\nlines", run_id="r1", state="ROLLED_BACK", slot="b",
    image_id="13.2", code="probe-failed",
)
"""


def test_lifecycle_under_the_journal_sends_the_fields_natively_and_prints_nothing() -> None:
    (entry,), stderr = _speak(_LIFECYCLE, stderr="journal")
    expected = {
        "MESSAGE": "two\nlines",
        "MESSAGE_ID": MessageId.ROLLED_BACK.value,
        "PRIORITY": "3",
        "SYSLOG_IDENTIFIER": "puad",
        "PUAD_RUN_ID": "r1",
        "PUAD_STATE": "ROLLED_BACK",
        "PUAD_SLOT": "b",
        "PUAD_IMAGE_ID": "13.2",
        "PUAD_CODE": "probe-failed",
    }
    assert expected.items() <= entry.items()
    assert stderr == ""


def test_lifecycle_elsewhere_is_printed_as_well_on_one_line() -> None:
    (entry,), stderr = _speak(_LIFECYCLE, stderr="elsewhere")
    assert entry["MESSAGE_ID"] == MessageId.ROLLED_BACK.value
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ERROR ROLLED_BACK: two\\nlines\n", stderr)


def test_setup_logging_under_the_journal_sends_natively() -> None:
    code = (
        "import logging\njournal.setup_logging('info')\nlogging.getLogger('x').warning('a %s', 1)"
    )
    (entry,), stderr = _speak(code, stderr="journal")
    assert (entry["MESSAGE"], entry["PRIORITY"], entry["SYSLOG_IDENTIFIER"]) == ("a 1", "4", "puad")
    assert stderr == ""


def test_lifecycle_leaves_out_what_is_empty_and_bounds_what_is_long() -> None:
    code = "journal.lifecycle(journal.MessageId.DONE, 'x' * 9000, image_id='y' * 9000)"
    (entry,), _ = _speak(code, stderr="journal")
    assert not {"PUAD_RUN_ID", "PUAD_STATE", "PUAD_SLOT"} & set(entry)
    assert len(entry["MESSAGE"]) == len(entry["PUAD_IMAGE_ID"]) == 4096


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_setup_logging_elsewhere_writes_lines_with_time_and_program(
    root_logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    journal.setup_logging("warning")
    root_logger.info("not shown")
    root_logger.warning("shown %d", 1)
    journal.setup_logging("info", "puad-health")  # again, and still one line for each
    root_logger.info("shown %d", 2)
    first, second = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}Z WARNING puad: shown 1", first)
    assert second.endswith("INFO puad-health: shown 2")


def test_lifecycle_with_a_journal_that_refuses_is_still_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(105, "No buffer space available")

    monkeypatch.setattr("systemd.journal.send", refuse)
    journal.lifecycle(MessageId.DAEMON_STARTED, "hello")
    assert capsys.readouterr().err.endswith("INFO DAEMON_STARTED: hello\n")


def test_message_ids_are_different_and_128_bits() -> None:
    assert all(re.fullmatch("[0-9a-f]{32}", member.value) for member in MessageId)
    assert len({member.value for member in MessageId}) == len(MessageId)


def test_message_ids_have_one_for_each_state_that_a_run_can_be_in() -> None:
    assert {state.name for state in State if state is not State.IDLE} <= set(MessageId.__members__)


def test_catalog_explains_each_message_id_once() -> None:
    text = _CATALOG.read_text(encoding="utf-8")
    entries = re.split(r"^-- ", text, flags=re.MULTILINE)[1:]
    ids = [entry.split("\n", 1)[0] for entry in entries]
    assert sorted(ids) == sorted(member.value for member in MessageId)
    for entry in entries:
        head, body = entry.split("\n\n", 1)
        assert re.search(r"^Subject: \S", head, re.MULTILINE), entry
        assert body.strip(), entry


def test_catalog_names_only_fields_that_entries_carry() -> None:
    named = set(re.findall("@([A-Z_]+)@", _CATALOG.read_text(encoding="utf-8")))
    assert named <= {"PUAD_RUN_ID", "PUAD_STATE", "PUAD_SLOT", "PUAD_IMAGE_ID", "PUAD_REASON"}
