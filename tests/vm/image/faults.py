# SPDX-License-Identifier: Apache-2.0
"""Faults: where the files of a variant lie in its image, and the image that chooses at each boot.

To stage an image costs a virtual node a minute, and there are many faults. So `faulty` has them
all, and the EFI variable `VARIABLE` names the one that it shows. The initial RAM disk reads it, and
a generator of systemd, which gives the fault's units more weight than any others. No other image
looks at it.
"""

from __future__ import annotations

from tests.vm.image.variants import CHOSEN, FAULTY, PROGRAMS, Variant

VARIABLE = "PuadFault-5a0f3c0e-2f0b-4a0e-9d35-0d6a8f1c7e55"
_UNITS = "etc/systemd/system"
_PROBES = "usr/lib/puad/probes.d"
_EARLY = "scripts/init-premount/ORDER"
_GENERATOR = "usr/lib/systemd/system-generators/fault-generator"
_CHOSEN_FILE = "/run/systemd/generator.early/fault"
# Four bytes of attributes stand before the value; the shell leaves out those that are zero.
_CHOOSE = f"""\
fault=
read -r fault </sys/firmware/efi/efivars/{VARIABLE} || :
fault=${{fault#?}}
"""
_GENERATE = f"""\
#!/bin/sh
[ -e /sys/firmware/efi/efivars/{VARIABLE} ] || exit 0
{_CHOOSE}
echo "$fault" >"$2/fault"
[ ! -d "/{PROGRAMS}/units/$fault" ] || cp -r "/{PROGRAMS}/units/$fault/." "$2"
"""
_PROBE = f"""\
#!/bin/sh
read -r fault <{_CHOSEN_FILE} || exit 0
probe=/{PROGRAMS}/probes/$fault/${{0#/{_PROBES}/}}
[ -x "$probe" ] || exit 0
exec "$probe"
"""


def root_files(variant: Variant) -> dict[str, str]:
    """What the variant lays over the root, path and text; `#!` makes executable, `->` a link."""
    if variant.name == FAULTY:
        return _all_of_them()
    return {
        **{f"{_UNITS}/{path}": text for path, text in variant.units.items()},
        **{f"{_PROBES}/{path}": text for path, text in variant.probes.items()},
        **{f"{PROGRAMS}/{path}": text for path, text in variant.programs.items()},
    }


def initrd_files(variant: Variant) -> dict[str, str]:
    """What the variant lays over the initial RAM disk, path and text."""
    if variant.name != FAULTY:
        return {_EARLY: variant.early} if variant.early else {}
    lines = [
        "mount -t efivarfs efivarfs /sys/firmware/efi/efivars",
        f"if [ -e /sys/firmware/efi/efivars/{VARIABLE} ]; then",
        _CHOOSE,
        "case $fault in",
        *(f"{fault.name})\n{fault.early};;" for fault in CHOSEN if fault.early),
        "esac",
        "fi",
        "umount /sys/firmware/efi/efivars",
    ]
    return {_EARLY: "".join(f"{line}\n" for line in lines)}


def _all_of_them() -> dict[str, str]:
    files = {_GENERATOR: _GENERATE}
    for fault in CHOSEN:
        units = {
            f"{PROGRAMS}/units/{fault.name}/{path}": text for path, text in fault.units.items()
        }
        programs = {f"{PROGRAMS}/{path}": text for path, text in fault.programs.items()}
        files |= units | programs
        for path, text in fault.probes.items():
            files[f"{PROGRAMS}/probes/{fault.name}/{path}"] = text
            files[f"{_PROBES}/{path}"] = _PROBE
    return files
