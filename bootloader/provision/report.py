# SPDX-License-Identifier: Apache-2.0
"""What puad-provision prints at its end: the partitions or the error, for people or as JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from bootloader.complaint import complain
from bootloader.provision.refusal import ProvisionError
from bootloader.provision.repart import Partition

_SCHEMA: Final = 1


@dataclass(frozen=True, slots=True)
class Report:
    """How the program speaks.

    Attributes:
        as_json: One JSON object on standard output, and nothing else there.
        quiet: Errors only.
        dry_run: Nothing is made.
    """

    as_json: bool
    quiet: bool
    dry_run: bool

    def say(self, text: str) -> None:
        """Tell what is being done."""
        if not self.quiet:
            _write(sys.stderr, f"puad-provision: {text}")

    def failed(self, error: ProvisionError) -> int:
        """Print an error; gives the exit code."""
        complain("puad-provision", error, error.hint)
        if self.as_json:
            _print_json(error.document())
        return error.code

    def made(self, disk: Path, partitions: list[Partition], machine_id: str) -> None:
        """Print what was made, or would be."""
        if self.as_json:
            document = {
                "disk": str(disk),
                "dry_run": self.dry_run,
                "changed": bool(partitions) and not self.dry_run,
                "machine_id": machine_id,
                "partitions": [partition.document() for partition in partitions],
            }
            _print_json(document)
        elif not self.quiet:
            self._print_table(disk, partitions)

    def _print_table(self, disk: Path, partitions: list[Partition]) -> None:
        if not partitions:
            _write(sys.stdout, f"nothing is missing on {disk}")
            return
        _write(sys.stdout, f"{'would be made' if self.dry_run else 'made'} on {disk}:")
        for partition in partitions:
            mib = partition.size / (1 << 20)
            _write(sys.stdout, f"  {partition.label:<10} {mib:>9.0f} MiB  {partition.part_id}")


def _print_json(document: dict[str, Any]) -> None:
    _write(sys.stdout, json.dumps({"schema": _SCHEMA, **document}, indent=2))


def _write(stream: TextIO, text: str) -> None:
    stream.write(f"{text}\n")
    stream.flush()
