# SPDX-License-Identifier: Apache-2.0
"""The tools of the demo: they end in order, and what they have mounted can be taken away."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.demo.mounts import mounts_below, remove_tree, unmount_below
from tests.demo.tool import ToolError, run_tool


def test_tool_that_takes_too_long_may_clean_up(tmp_path: Path) -> None:
    script = f"trap 'kill $!; echo gone > {tmp_path}/farewell; exit 1' TERM; sleep 600 & wait"
    with pytest.raises(ToolError, match="did not end within 1 s"):
        run_tool(["sh", "-c", script], tmp_path / "log", timeout_s=1)
    assert (tmp_path / "farewell").read_text() == "gone\n"


def test_tool_gives_its_output_and_takes_its_input(tmp_path: Path) -> None:
    assert run_tool(["cat"], tmp_path / "log", stdin="words\n") == "words\n"
    with pytest.raises(ToolError, match=r"ended with 3:\nno$"):
        run_tool(["sh", "-c", "echo no >&2; exit 3"], tmp_path / "log")


def test_mounts_below_a_folder_go_the_innermost_first(tmp_path: Path) -> None:
    outer = tmp_path / "a tree"
    outer.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", outer], check=True)
    inner = outer / "proc"
    inner.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", inner], check=True)
    assert mounts_below(tmp_path) == [outer, inner]
    unmount_below(tmp_path)
    assert mounts_below(tmp_path) == []


def test_tree_that_is_removed_keeps_what_was_mounted_in_it(tmp_path: Path) -> None:
    elsewhere, tree = tmp_path / "elsewhere", tmp_path / "tree"
    (tree / "proc").mkdir(parents=True)
    elsewhere.mkdir()
    (elsewhere / "file").write_text("of somebody else")
    subprocess.run(["mount", "--bind", elsewhere, tree / "proc"], check=True)
    remove_tree(tree)
    assert not tree.exists()
    assert (elsewhere / "file").read_text() == "of somebody else"
    remove_tree(tree)
