# SPDX-License-Identifier: Apache-2.0
"""`python3 -m puad.health`."""

from __future__ import annotations

import sys

from puad.health.process import main

sys.exit(main())
