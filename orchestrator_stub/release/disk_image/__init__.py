# SPDX-License-Identifier: Apache-2.0
"""Whole disks as upstream publishes them, read so far that their root image and UKI are found.

The readers of GPT, FAT and UKI are pure functions over a `Read`. Whatever the bytes are, each
raises only its own error, and the work and memory of each are bounded.
"""
