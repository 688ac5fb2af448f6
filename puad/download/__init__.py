# SPDX-License-Identifier: Apache-2.0
"""The download side: signed metadata of the release service, and the bytes that they vouch for.

An *origin* is where a repository lies: an HTTP server, or a folder that somebody exported. The
`ReleaseRepository` verifies its metadata and says what a target is; a `Source` gives byte ranges of
one big file, which nothing has vouched for until the writer has hashed them.

Nothing is imported here: origins and repository load TUF's libraries, 10 MiB that a node which
installs nothing goes without (`puad.effects.supply`).
"""
