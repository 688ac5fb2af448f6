# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import jwt
import pytest

from puad.client.token_file import TokenFile

END_S = 1_795_428_000


def token(end_s: int) -> str:
    return jwt.encode({"exp": end_s}, "k" * 64, algorithm="HS256")


def swap(path: Path, text: str) -> None:
    new = path.with_name("new")
    new.write_text(text)
    new.replace(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "token"


def test_end_of_the_token_follows_a_file_swap(path: Path) -> None:
    file = TokenFile(path)
    assert file.expires_at() is None
    for end_s in (END_S, END_S + 1):
        swap(path, token(end_s) + "\n")
        assert file.expires_at() == datetime.fromtimestamp(end_s, UTC)
    path.unlink()
    assert file.expires_at() is None


@pytest.mark.parametrize("content", ["", "two tokens", "opaque", "x" * 20_000])
def test_file_without_a_token_that_tells_says_nothing(path: Path, content: str) -> None:
    path.write_text(content)
    assert TokenFile(path).expires_at() is None


def test_file_is_read_when_it_has_changed_only(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[object] = []
    opened = os.open

    def counted(name: str, *rest: int) -> int:
        reads.append(name)
        return opened(name, *rest)

    swap(path, token(END_S))
    file = TokenFile(path)
    monkeypatch.setattr("puad.client.maintenance.os.open", counted)
    for _ in range(100):
        file.expires_at()
    assert len(reads) == 1


def test_fifo_in_its_place_holds_nobody_up(path: Path) -> None:
    os.mkfifo(path)
    assert TokenFile(path).expires_at() is None
