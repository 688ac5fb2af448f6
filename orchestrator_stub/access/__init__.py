# SPDX-License-Identifier: Apache-2.0
"""Who calls, and what they may do: nodes by their tokens, operators by password, programs by token.

`access.access` is what the rest of the orchestrator asks; the modules beside it have one noun each.
"""
