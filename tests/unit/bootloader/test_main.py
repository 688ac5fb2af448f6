# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bootloader.main import main

REPOSITORY = Path(__file__).parents[3]
WITHOUT_SIMULATION = """
import sys
sys.modules["bootloader.simulation"] = None
from bootloader.main import main
sys.exit(main(sys.argv[1:]))
"""


def test_wrong_configuration_is_told_with_a_hint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "bootloader.toml"
    config.write_text('backend = "systemd-boot"\ncommand_lin = "ro"\n')
    assert main(["--config", str(config)]) == 78
    first, second = capsys.readouterr().err.splitlines()
    what = "unknown key command_lin; did you mean command_line?"
    assert first == f"puad-bootloader: {what} ({config})"
    assert second.startswith("hint: ")
    assert "correct it there" in second


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ('esp = "efi"', "esp must be an absolute path ({config} [systemd-boot])"),
        ("clear_pinned = 1", "clear_pinned must be true or false ({config} [systemd-boot])"),
        ("clear_pined = true", "did you mean clear_pinned?"),
    ],
)
def test_wrong_section_of_the_back_end_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], section: str, said: str
) -> None:
    folders = "".join(f'{name} = "{tmp_path}/{name}"\n' for name in ("run", "state"))
    config = tmp_path / "bootloader.toml"
    config.write_text(f'backend = "systemd-boot"\n{folders}[systemd-boot]\n{section}\n')
    assert main(["--config", str(config)]) == 78
    assert said.format(config=config) in capsys.readouterr().err


def test_program_of_a_real_node_needs_no_simulation(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_SIMULATION]
    for arguments, code, said in (
        (["--help"], 0, "Boot control"),
        (["--config", str(tmp_path / "none")], 78, "cannot be read"),
        (["boot"], 64, "unrecognized arguments"),
    ):
        done = subprocess.run(
            [*command, *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        assert done.returncode == code
        assert said in done.stdout + done.stderr
