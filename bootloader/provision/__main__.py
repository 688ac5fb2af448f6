# SPDX-License-Identifier: Apache-2.0
"""`python3 -m bootloader.provision`, for a checkout."""

import sys

from bootloader.provision.main import main

sys.exit(main())
