# SPDX-License-Identifier: Apache-2.0
"""Runs that are guided by what code an input reaches: atheris, one process for each target.

`python -m tests.fuzz.guided_run TARGET [libFuzzer's options and folders]`; `python -m tests.fuzz`
starts it. The parsers are instrumented as they are imported, so nothing may import them before.
"""

from __future__ import annotations

import sys
from random import Random
from typing import Any, Final

import atheris

_INSTRUMENTED: Final = [
    "puad.core",
    "bootloader",
    "orchestrator_stub.release.disk_image",
]


def main() -> None:
    """Does not return: the fuzzer ends the process."""
    with atheris.instrument_imports(include=_INSTRUMENTED):
        from tests.fuzz.registry import TARGETS  # noqa: PLC0415 -- instrumented as it is imported

    target = TARGETS[sys.argv.pop(1)]

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        noise = Random(seed)
        changed: Any = target.mutate(data, noise) if noise.random() < 0.5 else data
        return bytes(changed if changed != data else atheris.Mutate(data, most))[:most]

    atheris.Setup(sys.argv, target.check, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
