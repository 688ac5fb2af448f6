# SPDX-License-Identifier: Apache-2.0
"""Variants: what is different about an image, so that a scenario can see what the node does then.

A fault that is decided in the initial RAM disk is another initrd on the same root. The others are
a few files laid over the root. `good` has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_UNITS = "etc/systemd/system"
_WANTED_BY_SYSINIT = f"{_UNITS}/sysinit.target.wants"
_REQUIRED_PROBES = "usr/lib/puad/probes.d/required"
_WANTED_PROBES = "usr/lib/puad/probes.d/wanted"
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Variant:
    """One kind of image.

    Attributes:
        name: What a scenario asks for.
        expected: What the node should do with it, in a few words.
        files: Laid over the root: path and text. Text that begins with `#!` is executable; text
            that begins with `->` is a symbolic link.
        initrd: Laid over the initial RAM disk, path and text.
        stamped_version: What os-release says in place of the promised version.
        stamped_profile: The same for the profile.
    """

    name: str
    expected: str
    files: Mapping[str, str] = field(default_factory=lambda: _NONE)
    initrd: Mapping[str, str] = field(default_factory=lambda: _NONE)
    stamped_version: str = ""
    stamped_profile: str = ""


def _unit(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


# What never ends must not take the ten minutes that a slow node gets.
_SOON = {f"{_UNITS}/puad-boot-deadline.timer.d/soon.conf": "[Timer]\nOnBootSec=\nOnBootSec=2min\n"}


def _probe(*lines: str) -> str:
    return "".join(f"{line}\n" for line in ("#!/bin/sh", *lines))


_REBOOT_UNTIL_LAST_TRY = _probe(
    "# Counts this image's boots; all but the third end before the verdict.",
    "count=$(cat /persist/fault-boots 2>/dev/null || echo 0)",
    "echo $((count + 1)) >/persist/fault-boots",
    "sync",
    "[ $((count + 1)) -ge 3 ] || systemctl --force --force reboot",
)

_ALL = (
    Variant("good", "stays"),
    Variant(
        "kernel-panic",
        "panics in the initial RAM disk; panic= reboots",
        # sourced by /init when the essential drivers are loaded
        initrd={
            "scripts/init-premount/ORDER": "echo 'fault: kernel panic' >/dev/kmsg\n"
            "echo c >/proc/sysrq-trigger\n"
        },
    ),
    Variant(
        "root-missing",
        "waits for a root that never comes; the initial RAM disk reboots",
        initrd={
            "scripts/init-premount/ORDER": "ROOT=PARTUUID=deadbeef-0000-4000-8000-000000000000\n"
            "ROOTDELAY=5\n"
        },
    ),
    Variant(
        "hang-init",
        "process 1 freezes; the hardware watchdog resets the machine",
        files={
            f"{_UNITS}/fault-hang.service": _unit(
                "[Unit]",
                "DefaultDependencies=no",
                "Before=basic.target",
                "[Service]",
                "Type=oneshot",
                "ExecStart=/bin/kill -SEGV 1",
            ),
            f"{_UNITS}/basic.target.wants/fault-hang.service": "->../fault-hang.service",
        },
    ),
    Variant(
        "mount-fails",
        "a required local mount fails: emergency mode, and back",
        files={
            f"{_UNITS}/srv.mount": _unit(
                "[Unit]",
                "Description=A mount that fails",
                "[Mount]",
                "What=tmpfs",
                "Where=/srv",
                "Type=tmpfs",
                "Options=size=nonsense",
            ),
            f"{_UNITS}/local-fs.target.requires/srv.mount": "->../srv.mount",
        },
    ),
    Variant(
        "persist-mount-fails",
        "cannot mount the persistent partition: emergency mode, and back",
        files={f"{_UNITS}/persist.mount.d/fault.conf": "[Mount]\nOptions=nonsense\n"},
    ),
    Variant(
        "job-hangs",
        "a job queued before basic.target never ends: the deadline timer leads back",
        files={
            **_SOON,
            f"{_UNITS}/fault-job.service": _unit(
                "[Unit]",
                "Description=A job that never ends",
                "DefaultDependencies=no",
                "Before=sysinit.target",
                "After=local-fs.target",
                "[Service]",
                "Type=oneshot",
                "TimeoutStartSec=infinity",
                "ExecStart=/bin/sleep infinity",
            ),
            f"{_WANTED_BY_SYSINIT}/fault-job.service": "->../fault-job.service",
        },
    ),
    Variant(
        "deadline",
        "boots, but is never complete: the deadline leads back",
        files={
            **_SOON,
            f"{_UNITS}/fault-slow.service": _unit(
                "[Unit]",
                "Description=A service that never gets ready",
                "Before=boot-complete.target",
                "[Service]",
                "Type=oneshot",
                "TimeoutStartSec=infinity",
                "ExecStart=/bin/sleep infinity",
            ),
            f"{_UNITS}/boot-complete.target.requires/fault-slow.service": "->../fault-slow.service",
        },
    ),
    Variant(
        "required-probe-fails",
        "bad verdict: reboots, and back when no try is left",
        files={
            f"{_REQUIRED_PROBES}/application": _probe(
                "echo 'the application does not answer'", "exit 1"
            ),
        },
    ),
    Variant(
        "last-try-fails",
        "of three tries two end before a verdict; the probe fails on the last",
        files={
            "usr/lib/puad-fault/count": _REBOOT_UNTIL_LAST_TRY,
            f"{_UNITS}/fault-count.service": _unit(
                "[Unit]",
                "RequiresMountsFor=/persist",
                "Before=puad.service",
                "[Service]",
                "Type=oneshot",
                "ExecStart=/usr/lib/puad-fault/count",
            ),
            f"{_UNITS}/multi-user.target.wants/fault-count.service": "->../fault-count.service",
            f"{_REQUIRED_PROBES}/application": _probe(
                "echo 'the application does not answer'", "exit 1"
            ),
        },
    ),
    Variant(
        "wanted-probe-fails",
        "stays, and says what failed",
        files={f"{_WANTED_PROBES}/camera": _probe("echo 'no camera was found'", "exit 1")},
    ),
    Variant(
        "crash-loop",
        "puad ends again and again: bad verdict, and back",
        files={
            f"{_UNITS}/puad.service.d/fault.conf": _unit(
                "[Service]", "ExecStart=", "ExecStart=/bin/false"
            )
        },
    ),
    Variant(
        "network-dead",
        "no network: stays, since a lost server must not roll back a fleet",
        files={
            "etc/systemd/network/20-wired.network": _unit(
                "[Match]", "Type=ether", "[Link]", "Unmanaged=yes"
            )
        },
    ),
    Variant(
        "wrong-version", "boots, but os-release names another version: back", stamped_version="99.9"
    ),
    Variant(
        "wrong-profile",
        "boots, but os-release names another profile: back",
        stamped_profile="other",
    ),
    Variant(
        "newer-store",
        "writes its store in a higher schema and fails; the old puad must read it",
        files={
            "usr/lib/puad-fault/newer-store": (
                "#!/usr/bin/python3 -I\n"
                "import json, pathlib\n"
                "for path in sorted(pathlib.Path('/persist/var/lib/puad').glob('*.json')):\n"
                "    document = json.loads(path.read_bytes())\n"
                "    document['schema'] += 1\n"
                "    document['written_by_a_newer_one'] = {'kept': True}\n"
                "    half = path.with_suffix('.half')\n"
                "    half.write_text(json.dumps(document))\n"
                "    half.rename(path)\n"
            ),
            f"{_UNITS}/puad.service.d/fault.conf": _unit(
                "[Service]", "ExecStartPre=!/usr/lib/puad-fault/newer-store"
            ),
            f"{_REQUIRED_PROBES}/application": _probe(
                "echo 'the application does not answer'", "exit 1"
            ),
        },
    ),
)
VARIANTS: Mapping[str, Variant] = MappingProxyType({variant.name: variant for variant in _ALL})
