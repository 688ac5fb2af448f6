# SPDX-License-Identifier: Apache-2.0
"""The node's own files are looked at before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootloader.provision.node_files import NODE_SECTIONS, NodeFiles, check_node_files
from bootloader.provision.refusal import ProvisionError
from puad.config.scope import THIS_NODE
from tests.unit.bootloader.provision.authority import certificate


@pytest.mark.parametrize("size", [0, (1 << 20) + 1])
def test_node_file_of_a_strange_size_is_refused(tmp_path: Path, size: int) -> None:
    token = tmp_path / "token"
    token.write_bytes(bytes(size))
    with pytest.raises(ProvisionError, match="must be a file of 1 to"):
        check_node_files(NodeFiles(token=token))


def test_node_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProvisionError, match=rf"it cannot be read: .* \({tmp_path}/ca\)"):
        check_node_files(NodeFiles(ca=tmp_path / "ca"))


def test_node_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ProvisionError, match="it is not text"):
        check_node_files(NodeFiles(token=path))


def test_node_files_that_are_right_pass(tmp_path: Path) -> None:
    texts = {
        "config": '[node]\nguid = "x"\n[server]\n[release]\n',
        "token": "eyJhbGciOi.J9-_=\n",
        "ca": certificate() + certificate(),
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    check_node_files(NodeFiles(*(tmp_path / name for name in texts)))


@pytest.mark.parametrize(
    "text", ["Authorization: Bearer eyJ\n", "Bearer eyJ", "one\ntwo\n", "eyJ\n\n", " eyJ", "ü"]
)
def test_token_that_is_not_one_word_is_refused_with_how_it_should_be(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "token"
    path.write_text(text)
    with pytest.raises(ProvisionError, match="one token") as caught:
        check_node_files(NodeFiles(token=path))
    assert "give the token alone" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "pem\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "ü",
    ],
)
def test_authority_without_a_certificate_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ca"
    path.write_text(text)
    with pytest.raises(ProvisionError, match="no certificate that can be used"):
        check_node_files(NodeFiles(ca=path))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[server\n", "this is not TOML"),
        ("[update]\ntries = 3\n", r"may not have \[update\]"),
        ('url = "https://x"\n', "may not have the key url"),
        ('server = "x"\n', "may not have the key server"),
    ],
)
def test_configuration_that_a_node_may_not_have_is_refused(
    tmp_path: Path, text: str, why: str
) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(ProvisionError, match=why):
        check_node_files(NodeFiles(config=path))


def test_configuration_that_a_node_may_not_have_is_refused_with_what_it_may(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("[update]\ntries = 3\n")
    with pytest.raises(ProvisionError) as caught:
        check_node_files(NodeFiles(config=path))
    assert "it may have [server], [release]" in caught.value.hint


def test_sections_of_a_node_are_those_that_the_agent_takes() -> None:
    assert set(NODE_SECTIONS) == THIS_NODE.sections
