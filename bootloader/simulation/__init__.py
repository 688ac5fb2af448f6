# SPDX-License-Identifier: Apache-2.0
"""The simulated machine: a power-on of the file-backed node, for the demo and the tests."""
