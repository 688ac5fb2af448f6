# SPDX-License-Identifier: Apache-2.0
"""The rules of the transition table, one module for each part of a run's life.

Importing this package fills the table.
"""

from puad.core.rules import assessing, booting, installing, operator, starting, waiting

__all__ = ["assessing", "booting", "installing", "operator", "starting", "waiting"]
