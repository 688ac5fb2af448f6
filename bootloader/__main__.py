# SPDX-License-Identifier: Apache-2.0
"""`python3 -m bootloader`."""

import sys

from bootloader.main import main

sys.exit(main())
