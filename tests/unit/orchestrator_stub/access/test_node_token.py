# SPDX-License-Identifier: Apache-2.0
"""Node tokens: what is issued is verified, and nothing else."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from orchestrator_stub.access import node_token
from orchestrator_stub.access.node_token import NodeIdentity
from orchestrator_stub.errors import Code, OrchestratorError

KEY = "k" * 64
LIFETIME_S = 86_400
IDENTITY = NodeIdentity(
    subject="11111111-2222-3333-4444-555555555555",
    project_uuid="aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    issued_s=int(time.time()),
)


def test_issued_token_names_its_host_project_and_time() -> None:
    token = node_token.issue(KEY, IDENTITY, LIFETIME_S)
    issued = replace(IDENTITY, expires_s=IDENTITY.issued_s + LIFETIME_S)
    assert node_token.verify(KEY, f"Bearer {token}") == issued
    assert node_token.verify(KEY, f"bearer  {token} ") == issued


def test_token_is_refused_after_its_end() -> None:
    old = replace(IDENTITY, issued_s=IDENTITY.issued_s - 2 * LIFETIME_S)
    with pytest.raises(OrchestratorError, match="expired") as caught:
        node_token.verify(KEY, f"Bearer {node_token.issue(KEY, old, LIFETIME_S)}")
    assert caught.value.code is Code.UNAUTHENTICATED


@pytest.mark.parametrize("flipped", [0, 40, -1])
def test_changed_token_is_refused(flipped: int) -> None:
    letters = list(node_token.issue(KEY, IDENTITY, LIFETIME_S))
    # the last letter of a signature has two unused bits; A and the others differ in used ones
    letters[flipped] = "A" if letters[flipped] != "A" else "Q"
    with pytest.raises(OrchestratorError) as caught:
        node_token.verify(KEY, "Bearer " + "".join(letters))
    assert caught.value.code is Code.UNAUTHENTICATED


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Token x", "Bearer " + "x" * 9000]
)
def test_header_without_token_is_refused(header: str | None) -> None:
    with pytest.raises(OrchestratorError) as caught:
        node_token.verify(KEY, header)
    assert caught.value.code is Code.UNAUTHENTICATED


def test_refusal_never_repeats_the_token() -> None:
    with pytest.raises(OrchestratorError) as caught:
        node_token.verify(KEY, "Bearer aaaa.secretpart.cccc")
    assert "secretpart" not in str(caught.value)


def test_token_that_is_known_is_refused_after_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    old = replace(IDENTITY, issued_s=IDENTITY.issued_s - 2 * LIFETIME_S)
    header = f"Bearer {node_token.issue(KEY, old, LIFETIME_S)}"
    monkeypatch.setattr(node_token, "_LEEWAY_S", 2 * LIFETIME_S)
    known = node_token.verify(KEY, header)
    assert node_token.verify(KEY, header) is known
    monkeypatch.setattr(node_token, "_LEEWAY_S", 60)
    with pytest.raises(OrchestratorError, match="expired"):
        node_token.verify(KEY, header)


def test_token_that_is_known_under_one_key_is_not_under_another() -> None:
    header = f"Bearer {node_token.issue(KEY, IDENTITY, LIFETIME_S)}"
    node_token.verify(KEY, header)
    with pytest.raises(OrchestratorError, match="not valid"):
        node_token.verify("j" * 64, header)


def test_known_tokens_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_token, "_MAX_KNOWN", 3)
    for lifetime_s in range(LIFETIME_S, LIFETIME_S + 9):
        node_token.verify(KEY, f"Bearer {node_token.issue(KEY, IDENTITY, lifetime_s)}")
    assert len(node_token._KNOWN) == 3
