# SPDX-License-Identifier: Apache-2.0
"""TLS as the orchestrator serves it by itself: its CA, its certificate, and their renewal."""
