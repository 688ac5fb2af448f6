# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from puad.config import Limits
from puad.health.executables import Executable, find_executables
from puad.health.probe import Deadline, ProbeError

_LIMITS = Limits(probe_output_bytes=64 << 10, probe_tail_bytes=256)


def _script(folder: Path, body: str, *, head: str = "#!/bin/sh", mode: int = 0o755) -> Path:
    path = folder / "probe"
    path.write_text(f"{head}\n{body}\n")
    path.chmod(mode)
    return path


def _run(path: Path, seconds: float = 60) -> str:
    executable = Executable(path, _LIMITS, {"PUAD_SLOT": "b"})
    return executable.run(Deadline(time.monotonic() + seconds))


def _fails(path: Path, seconds: float = 60) -> ProbeError:
    with pytest.raises(ProbeError) as caught:
        _run(path, seconds)
    return caught.value


def _wait_until_gone(pid: int) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":  # dead; its parent here may be slow to collect it
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} is still there")


def test_executable_exit_0_passes_and_its_output_is_kept(tmp_path: Path) -> None:
    assert _run(_script(tmp_path, "echo one; echo two >&2")) == "one\ntwo"


def test_executable_exit_code_fails_with_its_last_words(tmp_path: Path) -> None:
    error = _fails(_script(tmp_path, "echo why; exit 7"))
    assert error.what == "it ended with exit code 7"
    assert error.log_tail == "why"


@pytest.mark.parametrize(
    ("number", "name"), [(11, "Segmentation fault"), (40, "Real-time signal 6")]
)
def test_executable_killed_by_a_signal_fails_and_names_it(
    tmp_path: Path, number: int, name: str
) -> None:
    error = _fails(_script(tmp_path, f"kill -{number} $$"))
    assert error.what == f"it was ended by signal {number}, {name}"


def test_executable_output_keeps_the_end_and_no_control_characters(tmp_path: Path) -> None:
    body = "printf 'x%.0s' $(seq 1000); printf '\\033[31m\\377 end\\n\\n'"
    tail = _run(_script(tmp_path, body))
    assert tail.endswith("\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER} end")
    assert len(tail) <= 256


def test_executable_has_no_input_no_arguments_and_a_small_environment(tmp_path: Path) -> None:
    os.environ["PUAD_TEST_SECRET"] = "x"
    try:
        words = _run(_script(tmp_path, 'cat; echo "$#"; pwd; env')).splitlines()
    finally:
        del os.environ["PUAD_TEST_SECRET"]
    assert words[:2] == ["0", "/"]
    assert {"LC_ALL=C", "PUAD_SLOT=b"} <= set(words)
    assert not any("SECRET" in word for word in words)


def test_executable_that_hangs_is_killed_with_all_its_children(tmp_path: Path) -> None:
    body = f"sleep 1000 & echo $! > {tmp_path}/child; echo waiting; wait"
    error = _fails(_script(tmp_path, body), seconds=2)
    assert error.what == "it did not end in time"
    assert error.log_tail == "waiting"
    _wait_until_gone(int((tmp_path / "child").read_text()))


def test_executable_that_closes_its_output_and_hangs_is_killed(tmp_path: Path) -> None:
    error = _fails(_script(tmp_path, "exec >&- 2>&-; exec sleep 1000"), seconds=2)
    assert error.what == "it did not end in time"


def test_executable_deaf_to_sigterm_is_killed(tmp_path: Path) -> None:
    body = "trap '' TERM INT HUP; while :; do sleep 1; done"
    assert _fails(_script(tmp_path, body), seconds=1).what == "it did not end in time"


def test_executable_that_leaves_a_child_behind_ends_with_its_own_exit_code(
    tmp_path: Path,
) -> None:
    # the child holds the pipe open, so waiting for the end of the output would take for ever
    body = f"sleep 1000 & echo $! > {tmp_path}/child; echo done"
    assert _run(_script(tmp_path, body)) == "done"
    _wait_until_gone(int((tmp_path / "child").read_text()))


def test_executable_that_prints_without_end_is_stopped_long_before_its_deadline(
    tmp_path: Path,
) -> None:
    error = _fails(_script(tmp_path, "exec yes"), seconds=3600)
    assert error.what == "it printed more than it may"
    assert error.log_tail.endswith("y\ny")


@pytest.mark.parametrize("mode", [0o644, 0o000])
def test_executable_without_permission_to_execute_fails(tmp_path: Path, mode: int) -> None:
    assert "not an executable" in _fails(_script(tmp_path, "exit 0", mode=mode)).what


def test_executable_that_is_a_folder_or_gone_fails(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert "not an executable" in _fails(tmp_path / "folder").what
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert "not an executable" in _fails(tmp_path / "link").what


@pytest.mark.parametrize("head", ["no interpreter", "#!/no/such/interpreter"])
def test_executable_that_the_kernel_refuses_fails(tmp_path: Path, head: str) -> None:
    assert "cannot be executed" in _fails(_script(tmp_path, "exit 0", head=head)).what


def test_find_executables_takes_everything_but_hidden_files_in_order(tmp_path: Path) -> None:
    for name in ("20-b", "10-a", ".hidden", "README"):
        (tmp_path / name).touch()
    names = [path.name for path in find_executables(tmp_path, _LIMITS)]
    assert names == ["10-a", "20-b", "README"]


def test_find_executables_folder_absent_has_none(tmp_path: Path) -> None:
    assert find_executables(tmp_path / "absent", _LIMITS) == ()


def test_find_executables_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ProbeError, match="cannot be read"):
        find_executables(tmp_path / "file", _LIMITS)


def test_find_executables_too_many_are_refused(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / str(number)).touch()
    with pytest.raises(ProbeError, match="more than 2"):
        find_executables(tmp_path, Limits(probes=2))
