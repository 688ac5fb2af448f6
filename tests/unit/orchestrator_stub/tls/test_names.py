# SPDX-License-Identifier: Apache-2.0
"""Names of a certificate: host names and addresses, and nothing that is neither."""

from __future__ import annotations

import socket

import pytest

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.tls.names import MOST_NAMES, of_this_machine, parse


def test_names_and_addresses_are_told_apart_and_each_taken_once() -> None:
    names = parse(["Edge.Example.org.", "192.0.2.7", "2001:DB8::1", "edge.example.org", "::1"])
    assert names.dns == ("edge.example.org",)
    assert names.texts == ("edge.example.org", "192.0.2.7", "2001:db8::1", "::1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*.example.org",
        "a b",
        "https://x",
        "x:8443",
        "-x",
        "x..y",
        "x" * 64,
        "192.0.2.700",
        "é.example",
        "x\n",
        ".",
        "a." * 130 + "a",
        "[::1]",
    ],
)
def test_what_is_neither_name_nor_address_is_refused(text: str) -> None:
    with pytest.raises(OrchestratorError) as caught:
        parse(["edge", text])
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("count", [0, MOST_NAMES + 1])
def test_number_of_names_is_bounded(count: int) -> None:
    with pytest.raises(OrchestratorError):
        parse([f"host-{number}" for number in range(count)])


def test_names_of_this_machine_are_its_own_and_the_loopback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "till-server")
    assert of_this_machine().texts == ("till-server", "localhost", "127.0.0.1", "::1")
    monkeypatch.setattr(socket, "gethostname", lambda: "no host name")
    assert of_this_machine().texts == ("localhost", "127.0.0.1", "::1")
