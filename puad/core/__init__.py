# SPDX-License-Identifier: Apache-2.0
"""The pure core: everything that decides, and nothing that touches the machine.

No module here reads a clock, a file, the network, the environment or a random number. Time enters
only inside events, chance only as an argument. The node and the orchestrator both import it; it
imports neither.
"""
