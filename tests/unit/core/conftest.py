# SPDX-License-Identifier: Apache-2.0
"""Settings of the property tests: as many examples as usual, and no claim about speed."""

from hypothesis import settings

settings.register_profile("puad", deadline=None)
settings.load_profile("puad")
