# SPDX-License-Identifier: Apache-2.0
"""`python3 -m puad.cli`."""

import sys

from puad.cli import main

sys.exit(main())
