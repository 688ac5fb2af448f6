# SPDX-License-Identifier: Apache-2.0
"""Policies: to which instances one may be linked, whoever links (protocol.md §5).

A policy fits an instance when it wants an immutable OS of the instance's own profile.
"""

from __future__ import annotations

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import Policy
from orchestrator_stub.vocabulary import PolicyKind


def why_unfit(policy: Policy, profile_name: str) -> str:
    """Why a policy does not fit an instance of that profile; empty when it does."""
    target = policy.target_os
    if target is None or target.profile_name == profile_name:
        return _why_for_none(policy)
    return (
        f"policy {policy.name} wants profile {target.profile_name}, "
        f"but this host has profile {profile_name}"
    )


def check_fit(policy: Policy, profile_name: str) -> None:
    """Refuse to link a policy to an instance of a profile that it does not fit.

    Raises:
        OrchestratorError: `FAILED_PRECONDITION`.
    """
    _refuse(why_unfit(policy, profile_name))


def check_fits_any(policy: Policy) -> None:
    """Refuse to link a policy that fits no instance at all.

    Raises:
        OrchestratorError: `FAILED_PRECONDITION`.
    """
    _refuse(_why_for_none(policy))


def _why_for_none(policy: Policy) -> str:
    if policy.kind is PolicyKind.TARGET and policy.target_os is None:
        return f"policy {policy.name} names no target OS: it is not for an immutable OS"
    return ""


def _refuse(reason: str) -> None:
    if reason:
        raise OrchestratorError(Code.FAILED_PRECONDITION, reason)
