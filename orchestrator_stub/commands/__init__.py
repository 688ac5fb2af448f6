# SPDX-License-Identifier: Apache-2.0
"""The commands of `puad-orchestrator`, a module for each noun that they are about.

Each module adds its verbs to the command line, does what they say, and tells the facts.
"""

from orchestrator_stub.commands.directory import init
from orchestrator_stub.commands.host import enrol
from orchestrator_stub.commands.release import ReleaseOptions, refresh
from orchestrator_stub.commands.server import prepare_server

__all__ = ["ReleaseOptions", "enrol", "init", "prepare_server", "refresh"]
