# SPDX-License-Identifier: Apache-2.0
"""The daemon's own D-Bus object, `org.puad.Agent1`."""

from puad.service.agent import Agent, AgentObject, Reply

__all__ = ["Agent", "AgentObject", "Reply"]
