# SPDX-License-Identifier: Apache-2.0
"""The HTTP client: sessions that are safe to use, and the call to the maintenance manager."""
