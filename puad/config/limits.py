# SPDX-License-Identifier: Apache-2.0
"""Limits: every bound on size, time and number of tries that the node keeps, in one place.

Whatever a server, a file or another process sends, one of these stops it (invariant 10). They are
the section `[limits]` of the configuration; the defaults suit a node with 512 MiB of memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from puad.config.kinds import number

_KIB = 1 << 10
_MIB = 1 << 20
_HOUR_S = 3600

_Bytes = Annotated[int, number(_KIB, 256 * _MIB)]
_Seconds = Annotated[int, number(1, 24 * _HOUR_S)]
_Count = Annotated[int, number(1, 100_000)]


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds, and a few lower ones that end what is too slow.

    Attributes:
        answer_bytes: The orchestrator's answer.
        redirects: Redirects that one HTTP request may follow.
        retry_after_most_s: The longest Retry-After that is honoured.
        backoff_first_s: Wait before the second try of a failed transfer.
        backoff_most_s: The longest wait between two tries.
        socket_timeout_s: A connection to the release service, or the next bytes on it.
        download_attempts: Tries in a row that bring next to nothing, before a download fails.
        min_rate_bytes_s: Bytes a second below which a transfer counts as broken …
        min_rate_window_s: … when it stays below for so long.
        range_bytes: What one Range request asks for.
        queue_chunks: Chunks on their way from fetching to the journal, beside those being decoded.
        xz_memory_bytes: What unpacking an image that xz compressed may take.
        journal_batch_bytes: Image bytes that are written between two fsyncs.
        root_metadata_bytes: One version of the TUF root metadata.
        timestamp_bytes: TUF timestamp metadata.
        snapshot_bytes: TUF snapshot metadata.
        targets_bytes: TUF targets metadata.
        root_rotations: New versions of the TUF root in one refresh.
        index_bytes: A chunk index, or the index of a delta.
        document_bytes: One file of the store.
        history_entries: Past update runs that are kept.
        dbus_timeout_s: An answer on D-Bus.
        seal_timeout_s: Seal, which reads the whole slot again.
        probe_output_bytes: What a probe, or a hook before a reboot, may print before it is stopped.
        probe_tail_bytes: What of it is kept, in the verdict or the journal.
        probes: Probes of the integrator in one folder; also the hooks before a reboot.
    """

    answer_bytes: _Bytes = _MIB
    redirects: Annotated[int, number(0, 20)] = 3
    retry_after_most_s: _Seconds = _HOUR_S
    backoff_first_s: _Seconds = 1
    backoff_most_s: _Seconds = 300
    socket_timeout_s: _Seconds = 20
    download_attempts: _Count = 8
    min_rate_bytes_s: Annotated[int, number(1, 1 << 30)] = 1024
    min_rate_window_s: _Seconds = 60
    range_bytes: _Bytes = 8 * _MIB
    queue_chunks: Annotated[int, number(1, 64)] = 4
    xz_memory_bytes: _Bytes = 48 * _MIB
    journal_batch_bytes: _Bytes = 16 * _MIB
    root_metadata_bytes: _Bytes = 512 * _KIB
    timestamp_bytes: _Bytes = 16 * _KIB
    snapshot_bytes: _Bytes = 2 * _MIB
    targets_bytes: _Bytes = 5 * _MIB
    root_rotations: Annotated[int, number(1, 1024)] = 256
    index_bytes: Annotated[int, number(_KIB, 16 * _MIB)] = 16 * _MIB
    document_bytes: _Bytes = _MIB
    history_entries: Annotated[int, number(1, 10_000)] = 100
    dbus_timeout_s: _Seconds = 25
    seal_timeout_s: _Seconds = 1800
    probe_output_bytes: _Bytes = _MIB
    probe_tail_bytes: Annotated[int, number(64, 64 * _KIB)] = 2 * _KIB
    probes: Annotated[int, number(1, 256)] = 64
