# SPDX-License-Identifier: Apache-2.0
"""The Release Service's publisher: a signed repository of OS images as static files.

`puad-release` writes a TUF repository that any HTTP server may serve. Nothing here answers a
request: who holds the keys need not stand on the network.
"""
