# SPDX-License-Identifier: Apache-2.0
"""Variants: what is different about an image, so that a scenario can see what the node does then.

A fault that is decided in the initial RAM disk is another initrd on the same root. The others are
a few units, probes and programs laid over the root. `good` has none, and `faulty` has all of them
and shows the one that is chosen when it boots (`faults.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

PROGRAMS = "usr/lib/puad-fault"
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Variant:
    """One kind of image.

    Attributes:
        name: What a scenario asks for.
        expected: What the node should do with it, in a few words.
        units: Of systemd, by their path below one of its folders. Text that begins with `->` is a
            symbolic link.
        probes: By their path below `probes.d`; executable.
        programs: What units need, by name below `PROGRAMS`; executable.
        early: Shell lines that /init of the initial RAM disk sources when the essential drivers
            are loaded.
        stamped_version: What os-release says in place of the promised version.
        stamped_profile: The same for the profile.
    """

    name: str
    expected: str
    units: Mapping[str, str] = field(default_factory=lambda: _NONE)
    probes: Mapping[str, str] = field(default_factory=lambda: _NONE)
    programs: Mapping[str, str] = field(default_factory=lambda: _NONE)
    early: str = ""
    stamped_version: str = ""
    stamped_profile: str = ""


def _unit(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


# What never ends must not take the ten minutes that a slow node gets.
_SOON = {"puad-boot-deadline.timer.d/soon.conf": "[Timer]\nOnBootSec=\nOnBootSec=60\n"}


def _probe(*lines: str) -> str:
    return "".join(f"{line}\n" for line in ("#!/bin/sh", *lines))


_REBOOT_UNTIL_LAST_TRY = _probe(
    "# Counts this image's boots; all but the third end before the verdict.",
    "count=$(cat /persist/fault-boots 2>/dev/null || echo 0)",
    "echo $((count + 1)) >/persist/fault-boots",
    "sync",
    "[ $((count + 1)) -ge 3 ] || systemctl --force --force reboot",
)

_NO_APPLICATION = {
    "required/application": _probe("echo 'the application does not answer'", "exit 1")
}
_WRITE_A_NEWER_STORE = (
    "#!/usr/bin/python3 -I\n"
    "import json, pathlib\n"
    "for path in sorted(pathlib.Path('/var/lib/puad').glob('*.json')):\n"
    "    document = json.loads(path.read_bytes())\n"
    "    document['schema'] += 1\n"
    "    document['written_by_a_newer_one'] = {'kept': True}\n"
    "    half = path.with_suffix('.half')\n"
    "    half.write_text(json.dumps(document))\n"
    "    half.rename(path)\n"
)

_ALL = (
    Variant("good", "stays"),
    Variant("faulty", "does what the chosen fault says"),
    Variant(
        "kernel-panic",
        "panics in the initial RAM disk; panic= reboots",
        early="echo 'fault: kernel panic' >/dev/kmsg\necho c >/proc/sysrq-trigger\n",
    ),
    Variant(
        "root-missing",
        "waits for a root that never comes; the initial RAM disk reboots",
        early="ROOT=PARTUUID=deadbeef-0000-4000-8000-000000000000\n",
    ),
    Variant(
        "hang-init",
        "process 1 freezes; the hardware watchdog resets the machine",
        units={
            "fault-hang.service": _unit(
                "[Unit]",
                "DefaultDependencies=no",
                "Before=basic.target",
                "[Service]",
                "Type=oneshot",
                "ExecStart=/bin/kill -SEGV 1",
            ),
            "basic.target.wants/fault-hang.service": "->../fault-hang.service",
        },
    ),
    Variant(
        "mount-fails",
        "a required local mount fails: emergency mode, and back",
        units={
            "srv.mount": _unit(
                "[Unit]",
                "Description=A mount that fails",
                "[Mount]",
                "What=tmpfs",
                "Where=/srv",
                "Type=tmpfs",
                "Options=size=nonsense",
            ),
            "local-fs.target.requires/srv.mount": "->../srv.mount",
        },
    ),
    Variant(
        "persist-mount-fails",
        "cannot mount the persistent partition: emergency mode, and back",
        units={"persist.mount.d/fault.conf": "[Mount]\nOptions=nonsense\n"},
    ),
    Variant(
        "job-hangs",
        "a job queued before basic.target never ends: the deadline timer leads back",
        units={
            **_SOON,
            "fault-job.service": _unit(
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
            "sysinit.target.wants/fault-job.service": "->../fault-job.service",
        },
    ),
    Variant(
        "deadline",
        "boots, but is never complete: the health deadline leads back",
        units={
            "fault-slow.service": _unit(
                "[Unit]",
                "Description=A service that never gets ready",
                "Before=boot-complete.target",
                "[Service]",
                "Type=oneshot",
                "TimeoutStartSec=infinity",
                "ExecStart=/bin/sleep infinity",
            ),
            "boot-complete.target.requires/fault-slow.service": "->../fault-slow.service",
        },
    ),
    Variant(
        "required-probe-fails",
        "bad verdict: reboots, and back when no try is left",
        probes=_NO_APPLICATION,
    ),
    Variant(
        "last-try-fails",
        "of three tries two end before a verdict; the probe fails on the last",
        units={
            "fault-count.service": _unit(
                "[Unit]",
                "RequiresMountsFor=/persist",
                "Before=puad.service",
                "[Service]",
                "Type=oneshot",
                f"ExecStart=/{PROGRAMS}/count",
            ),
            "multi-user.target.wants/fault-count.service": "->../fault-count.service",
        },
        programs={"count": _REBOOT_UNTIL_LAST_TRY},
        probes=_NO_APPLICATION,
    ),
    Variant(
        "wanted-probe-fails",
        "stays, and says what failed",
        probes={"wanted/camera": _probe("echo 'no camera was found'", "exit 1")},
    ),
    Variant(
        "crash-loop",
        "puad ends again and again: bad verdict, and back",
        units={
            "puad.service.d/fault.conf": _unit("[Service]", "ExecStart=", "ExecStart=/bin/false")
        },
    ),
    Variant(
        "network-dead",
        "no network: stays, since a lost server must not roll back a fleet",
        units={"systemd-networkd.service": "->/dev/null"},
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
        units={
            "puad.service.d/fault.conf": _unit(
                "[Service]", f"ExecStartPre=/{PROGRAMS}/newer-store"
            ),
        },
        programs={"newer-store": _WRITE_A_NEWER_STORE},
        probes=_NO_APPLICATION,
    ),
)
VARIANTS: Mapping[str, Variant] = MappingProxyType({variant.name: variant for variant in _ALL})
FAULTY = "faulty"
# Those that `faulty` can show: all that its os-release does not give away.
CHOSEN = tuple(
    v
    for v in _ALL
    if v.name not in {"good", FAULTY} and not (v.stamped_version or v.stamped_profile)
)
