# SPDX-License-Identifier: Apache-2.0
"""A small orchestrator: release service, OS resource manager, maintenance manager and a first page."""
