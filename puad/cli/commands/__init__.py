# SPDX-License-Identifier: Apache-2.0
"""The commands of `puadctl`, one module each; `puad.cli.command` finds them."""
