# SPDX-License-Identifier: Apache-2.0
"""The tables of version 0002, in the modules in which `orchestrator_stub.records` has them.

They stay as they are when the records change: a later version has a migration of its own.
"""
