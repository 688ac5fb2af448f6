# SPDX-License-Identifier: Apache-2.0
"""The boot-control service: a small root service that owns slots, boot files and the boot target."""
