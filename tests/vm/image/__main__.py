# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.vm.image VERSION [VARIANT]`: build an image, and with --disk a disk with it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.vm.image.disk import make_disk
from tests.vm.image.recipe import Spec, build
from tests.vm.image.variants import VARIANTS


def main() -> int:
    """Build what the command line asks for."""
    kinds = "\n".join(f"  {name:22} {kind.expected}" for name, kind in VARIANTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.vm.image",
        description=__doc__,
        epilog=f"variants, and what a node does with each:\n{kinds}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("version")
    parser.add_argument("variant", nargs="?", default="good", choices=sorted(VARIANTS))
    parser.add_argument("--deb", type=Path, metavar="FILE")
    parser.add_argument("--trust-root", type=Path, metavar="FILE")
    parser.add_argument("--loader", default="systemd-boot", choices=("systemd-boot", "grub"))
    parser.add_argument("--disk", type=Path, metavar="FILE")
    given = parser.parse_args()
    image = build(
        Spec(given.version, given.variant, given.deb, given.trust_root, loader=given.loader)
    )
    sys.stdout.write(f"{image.root}\n{image.linux}\n{image.initrd}\n")
    if given.disk:
        make_disk(image, given.disk)
        sys.stdout.write(f"{given.disk}\n")
    return 0


sys.exit(main())
