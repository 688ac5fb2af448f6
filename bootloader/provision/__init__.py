# SPDX-License-Identifier: Apache-2.0
"""puad-provision: a disk that boots and updates itself, from a root image and its boot files.

It has two ways. On a blank disk, or a file, it makes everything: ESP with the boot loader and the
first entry, slot a with the root image, an empty slot b, the persistent partition. On the first
boot of a disk that came with ESP and slot a only, it adds what is missing. Rules:

1. Nothing is written before everything was checked, and nothing at all to a disk that is in use or
   holds something it does not know (`--wipe` lifts the last one, for a whole disk only).
2. systemd-repart writes the partition table last. A power cut before that leaves the disk as it
   was; on a first boot the next boot begins again.
3. Every name of a partition that is written anywhere is the PARTUUID on this very disk.
"""

from bootloader.provision.main import main

__all__ = ["main"]
