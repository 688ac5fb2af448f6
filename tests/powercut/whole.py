# SPDX-License-Identifier: Apache-2.0
"""The whole check: from the planted faults to the booted states."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.demo.layout import REPOSITORY, key, tree_key
from tests.powercut.bench.factory import make_factory
from tests.powercut.bench.faults import FAULTS
from tests.powercut.bench.recorder import PLANTED, SOUND, Plan, System, play, record
from tests.powercut.booted import Booter, write_disk
from tests.powercut.campaign import check_recording
from tests.powercut.checker import Findings
from tests.powercut.nastiest import nastiest
from tests.powercut.node_recorder import KIND, recordings
from tests.powercut.recording import Recording, open_recording
from tests.powercut.report import FOLDER, Report
from tests.powercut.states import Enumerator
from tests.vm.harness.bench import Bench
from tests.vm.harness.machine import Counters
from tests.vm.image.layout import CACHE
from tests.vm.image.recipe import Spec, build

_SOURCES: Final = (
    "puad",
    "bootloader",
    "tests/powercut/bench",
    "tests/powercut/recording.py",
    "tests/unit/bootloader/loader_model.py",
)


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked for.

    Attributes:
        states: States of the reference node.
        seed: Where chance begins.
        boot: How many are booted.
        bench_states: States of each sound recording of the bench, at most.
        fault_states: States of each recording with a planted fault, at most.
        resumed: From how many states of each update the bench goes on.
        at_once: How many machines boot at the same time.
    """

    states: int = 2000
    seed: int = 1
    boot: int = 4
    bench_states: int = 1 << 30
    fault_states: int = 400
    resumed: int = 16
    at_once: int = 2


def check_bench(options: Options, report: Report) -> None:
    """Check what the bench records: planted faults, which must be found, and sound runs."""
    folder = _bench_recordings(report)
    for plan in PLANTED:
        found = check_recording(
            open_recording(folder / plan.name), options.fault_states, options.seed
        )
        report.fault(plan.name, FAULTS[plan.fault].breaks, found)
    for plan in SOUND:
        found = check_recording(
            open_recording(folder / plan.name), options.bench_states, options.seed
        )
        report.recording(plan.name, options.seed, found)
        if plan.kind == "update":
            _resume(folder / plan.name, found, options, report)


def check_node(options: Options, report: Report, counters: Counters) -> None:
    """Check what the reference node records, and boot the nastiest of its states."""
    bench = Bench(report.say, counters)
    checked = []
    left = options.states
    folders = recordings(bench, report.say)
    for number, path in enumerate(folders):
        recording = open_recording(path)
        share = left // (len(folders) - number)
        found = check_recording(recording, share, options.seed)
        left -= found.states
        report.recording(recording.name, options.seed, found)
        checked.append((recording, found))
    _boot(bench, checked, options, report)


def check_one(name: str, options: Options, report: Report) -> None:
    """Check one state of one recording."""
    where, _, state = name.partition(":")
    folder = _bench_recordings(report)
    if where not in {plan.name for plan in (*PLANTED, *SOUND)}:
        folder = recordings(Bench(report.say, Counters()), report.say)[0].parent
    found = check_recording(open_recording(folder / where), 1, options.seed, state)
    report.recording(where, options.seed, found)


def _bench_recordings(report: Report) -> Path:
    """The folder of the bench's recordings, from the cache where it is there."""
    base = build(Spec("0"))
    code = tree_key(*(REPOSITORY / source for source in _SOURCES))
    folder = CACHE / f"powercut-bench-{key(code, base.root.name)}"
    if not folder.exists():
        report.say("recording updates, rollbacks and planted faults on the bench")
        half = folder.with_suffix(".half")
        shutil.rmtree(half, ignore_errors=True)
        story = make_factory(half)
        record(half, story, System(base.root, base.linux, base.initrd), (*PLANTED, *SOUND))
        half.rename(folder)
    return folder


def _resume(path: Path, found: Findings, options: Options, report: Report) -> None:
    """Let the bench go on from the nastiest states: the update must come to its end."""
    base = build(Spec("0"))
    recording = open_recording(path)
    work = FOLDER / f"resumed-{recording.name}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    (work / "release").symlink_to(path.parent / "release")
    plans = []
    enumerator = Enumerator(recording, options.seed)
    for number, name in enumerate(nastiest(found.sights, options.resumed)):
        point, _, variant = name.partition(":")
        disk = work / f"{number}.raw"
        write_disk(recording, enumerator.state(int(point), variant), disk)
        plans.append(Plan("resume", name=f"{recording.name}-{point}-{variant}", disk=disk))
    failed = play(work, recording.story, System(base.root, base.linux, base.initrd), plans)
    report.resumed([plan.name for plan in plans], failed)


def _boot(
    bench: Bench,
    checked: list[tuple[Recording, Findings]],
    options: Options,
    report: Report,
) -> None:
    work = FOLDER / "booted"
    shutil.rmtree(work, ignore_errors=True)
    with ThreadPoolExecutor(options.at_once) as pool:
        jobs = []
        for number, (recording, found) in enumerate(checked):
            booter = Booter(bench.idle(KIND), work, bench.counters)
            share = (options.boot + number) // len(checked)
            enumerator = Enumerator(recording, options.seed)
            for name in nastiest(found.sights, share):
                point, _, variant = name.partition(":")
                state = enumerator.state(int(point), variant)
                jobs.append(pool.submit(booter.boot, recording, state, found.sights[name]))
        for job in jobs:
            report.booted(job.result())
