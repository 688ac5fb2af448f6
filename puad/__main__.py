# SPDX-License-Identifier: Apache-2.0
"""`python3 -m puad` runs the daemon."""

import sys

from puad.daemon import main

sys.exit(main())
