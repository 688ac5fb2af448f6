# SPDX-License-Identifier: Apache-2.0
"""The boot-control service: the small root service that owns slots and the boot target."""

__version__ = "0.1.0"
