# SPDX-License-Identifier: Apache-2.0
"""Effects: the only place where an action of the core becomes I/O."""
