# SPDX-License-Identifier: Apache-2.0
"""The orchestrator's command, as `python3 -m orchestrator_stub`."""

import sys

from orchestrator_stub.main import main

if __name__ == "__main__":
    sys.exit(main())
