# SPDX-License-Identifier: Apache-2.0
"""`python3 -m orchestrator_stub.release`, the same as `puad-release`."""

import sys

from orchestrator_stub.release.main import main

sys.exit(main())
