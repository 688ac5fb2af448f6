# SPDX-License-Identifier: Apache-2.0
"""A small orchestrator: releases, OS resources, policies, schedules and maintenance."""
