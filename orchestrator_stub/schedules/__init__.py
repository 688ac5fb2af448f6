# SPDX-License-Identifier: Apache-2.0
"""Schedules: which apply to a host, and the maintenance windows that they open."""
