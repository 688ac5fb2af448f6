# SPDX-License-Identifier: Apache-2.0
"""Settings: every key of the configuration, its default, and what it accepts.

One dataclass is one section of the TOML files, one field one key (puad.toml(5) lists them). The
kinds in the types are all that validation knows; a new key is a new field and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from puad.config.kinds import (
    BOOLEAN,
    GUID_OR_EMPTY,
    NAMES,
    PATH,
    PATH_OR_EMPTY,
    PATHS,
    URL,
    choice,
    number,
    number_or_none,
)
from puad.config.limits import Limits

_DAY_S = 86_400
_WEEK_S = 7 * _DAY_S
_KIB = 1 << 10
_MIB = 1 << 20
_MOST_BYTES_S = 1 << 40

_WriteRate = Annotated[int, number_or_none(_MIB, _MOST_BYTES_S)]


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Section `[server]`: the orchestrator's maintenance manager.

    Attributes:
        url: Its address; empty for a node without an orchestrator.
        token_file: File with the node's token, read again at each call.
        ca_file: Certificates to trust instead of the system's; empty for the system's.
        tls_min: The lowest version of TLS.
        poll_interval_s: Time between two reports.
        timeout_s: The longest wait for one answer.
    """

    url: Annotated[str, URL] = ""
    token_file: Annotated[Path, PATH] = Path("/var/lib/puad/token")
    ca_file: Annotated[str, PATH_OR_EMPTY] = ""
    tls_min: Annotated[str, choice("1.2", "1.3")] = "1.3"
    poll_interval_s: Annotated[int, number(1, _DAY_S)] = 20
    timeout_s: Annotated[int, number(1, 600)] = 30


@dataclass(frozen=True, slots=True)
class ReleaseSettings:
    """Section `[release]`: the release service.

    Attributes:
        url: Base address of its signed repository.
        ca_file: Certificates to trust instead of the system's; empty for the system's.
    """

    url: Annotated[str, URL] = ""
    ca_file: Annotated[str, PATH_OR_EMPTY] = ""


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Section `[node]`: who this node is.

    Attributes:
        guid: Its UUID at the orchestrator; empty for the one that boot control reads.
    """

    guid: Annotated[str, GUID_OR_EMPTY] = ""


@dataclass(frozen=True, slots=True)
class UpdateSettings:
    """Section `[update]`: how an update run goes.

    Attributes:
        tries: Boots that a new image gets.
        download_window_s: Time before an update over which downloads are spread.
        immediate_download_window_s: The same when the window opens soon.
        min_window_left_s: Time that a window must have left for arming; 0 to compute it.
        health_deadline_s: Time that a boot has to become good.
        pre_reboot_deadline_s: Time that all hooks of pre-reboot.d have together.
        reboot_limit_s: Time after which a node that was asked to reboot counts as held up.
        retry_first_s: Pause after the first failed download; it doubles with each.
        retry_most_s: The longest such pause, and the one after a run that failed.
        synchronised_clock: Whether windows open only when the kernel's clock is synchronised.
    """

    tries: Annotated[int, number(1, 9)] = 3
    download_window_s: Annotated[int, number(0, _WEEK_S)] = 6 * 3600
    immediate_download_window_s: Annotated[int, number(0, _DAY_S)] = 600
    min_window_left_s: Annotated[int, number(0, _WEEK_S)] = 0
    health_deadline_s: Annotated[int, number(1, _DAY_S)] = 300
    pre_reboot_deadline_s: Annotated[int, number(1, _DAY_S)] = 60
    reboot_limit_s: Annotated[int, number(1, _DAY_S)] = 300
    retry_first_s: Annotated[int, number(1, _DAY_S)] = 30
    retry_most_s: Annotated[int, number(1, _WEEK_S)] = 3600
    synchronised_clock: Annotated[bool, BOOLEAN] = True


@dataclass(frozen=True, slots=True)
class PaceSettings:
    """Section `[pace]`: how much of the node an install takes for itself.

    Attributes:
        bandwidth_bytes_s: Bytes a second that all its connections take together; 0 for no limit.
        write_bytes_s: Image bytes a second that it brings to the slot; 0 for no limit.
        busy_write_bytes_s: The same while something else on the node reads from a disk.
        pause_above_load_percent: It pauses while the load average of everything else is above so
            many percent of the processors; 0 for never.
        pause_above_io_pressure_percent: It pauses while anything else waits for a disk for more
            than so much of the time; 0 for never.
        pause_most_s: The longest pause; then it goes on slowly.
    """

    bandwidth_bytes_s: Annotated[int, number_or_none(_KIB, _MOST_BYTES_S)] = 0
    write_bytes_s: _WriteRate = 0
    busy_write_bytes_s: _WriteRate = 16 * _MIB
    pause_above_load_percent: Annotated[int, number(0, 10_000)] = 400
    pause_above_io_pressure_percent: Annotated[int, number(0, 100)] = 0
    pause_most_s: Annotated[int, number(1, _DAY_S)] = 600


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """Section `[health]`: when a boot is good.

    Attributes:
        probe_deadline_s: Time that one probe has.
        required: Built-in probes that must pass.
        wanted: Built-in probes whose failure is only reported.
        agent_stable_s: Time that puad must answer without a restart.
        min_free_disk_mib: Free space that the persistent partition needs.
        min_free_memory_mib: Memory that must be available.
    """

    probe_deadline_s: Annotated[int, number(1, _DAY_S)] = 60
    required: Annotated[tuple[str, ...], NAMES] = ("systemd", "agent", "disk", "memory", "image")
    wanted: Annotated[tuple[str, ...], NAMES] = ("orchestrator",)
    agent_stable_s: Annotated[int, number(0, _DAY_S)] = 30
    min_free_disk_mib: Annotated[int, number(0, 1 << 30)] = 64
    min_free_memory_mib: Annotated[int, number(0, 1 << 30)] = 32


@dataclass(frozen=True, slots=True)
class PathSettings:
    """Section `[paths]`: where things lie on the node.

    Attributes:
        persist: The store, on the persistent partition.
        verdict: The folder of the verdict there, the health process's own.
        trust_root: The root of trust of the release service, in the image.
        os_release: The booted root's os-release, in the image.
        probes: The integrator's probes, in the image.
        pre_reboot: Folders of the integrator's hooks that may defer a reboot; a later one wins.
        journal: The persistent journal, which tells how a boot failed.
        run: Files that live for one boot.
    """

    persist: Annotated[Path, PATH] = Path("/var/lib/puad")
    verdict: Annotated[Path, PATH] = Path("/var/lib/puad-health")
    trust_root: Annotated[Path, PATH] = Path("/usr/lib/puad/root.json")
    os_release: Annotated[Path, PATH] = Path("/usr/lib/os-release")
    probes: Annotated[Path, PATH] = Path("/usr/lib/puad/probes.d")
    pre_reboot: Annotated[tuple[Path, ...], PATHS] = (
        Path("/usr/lib/puad/pre-reboot.d"),
        Path("/etc/puad/pre-reboot.d"),
    )
    journal: Annotated[Path, PATH] = Path("/var/log/journal")
    run: Annotated[Path, PATH] = Path("/run/puad")


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration, valid."""

    server: ServerSettings = field(default_factory=ServerSettings)
    release: ReleaseSettings = field(default_factory=ReleaseSettings)
    node: NodeSettings = field(default_factory=NodeSettings)
    update: UpdateSettings = field(default_factory=UpdateSettings)
    pace: PaceSettings = field(default_factory=PaceSettings)
    health: HealthSettings = field(default_factory=HealthSettings)
    paths: PathSettings = field(default_factory=PathSettings)
    limits: Limits = field(default_factory=Limits)
