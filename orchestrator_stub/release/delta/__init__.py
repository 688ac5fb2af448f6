# SPDX-License-Identifier: Apache-2.0
"""Deltas: published files that make an image out of an older one, chunk by chunk.

`anchors` finds content of the old image in the new one, `windows` chooses what of the old image
helps a chunk most, `encoding` makes the chunk's frame with that, `making` does so for a whole
image, and `publishing` for each older release.
"""
