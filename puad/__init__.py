# SPDX-License-Identifier: Apache-2.0
"""puad, the update agent of an edge node with an immutable OS."""

__version__ = "0.1.0"
