# SPDX-License-Identifier: Apache-2.0
"""A blank disk or file becomes a node's disk; with `factory` only ESP and slot a are made.

A factory's disk names the persistent partition that it does not have yet: the first boot makes it
with the id that the kernel command line mounts.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from bootloader.config import Settings
from bootloader.errors import BootloaderError
from bootloader.provision import target
from bootloader.provision.definitions import (
    STANDARD_FOLDER,
    Contents,
    file_systems,
    write_definitions,
)
from bootloader.provision.esp import check_program, lay_esp
from bootloader.provision.layout import ESP, PERSIST, Ids, labels
from bootloader.provision.node_files import NodeFiles, check_node_files
from bootloader.provision.persistent import STANDARD_PASSWD, lay_persistent
from bootloader.provision.refusal import ProvisionError
from bootloader.provision.repart import Job, Partition, require_repart, run_repart
from bootloader.provision.tools import require_file_system_tools
from bootloader.slot import BootFileKind

# The mounts of the first boot wait for partitions that are made meanwhile, however slowly.
_FIRST_BOOT_WORDS: Final = "puad.provision systemd.default_device_timeout_sec=600"
_MAX_IMAGE_BYTES: Final = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be made.

    Attributes:
        disk: A whole disk, or a file.
        settings: Boot control's configuration, the one of the image.
        root_image: What slot a gets.
        boot_files: What the boot loader starts from slot a.
        boot_loader: An EFI program.
        ids: Every id.
        definitions: The folder of partition definitions.
        sizes: Bytes by role, in place of the definitions'.
        file_size: The size of the file that is made; 0 for a disk or file that is there, whose
            size is not changed.
        node_files: The node's own files.
        passwd: The image's users.
        factory: Whether the first boot is to make slot b and the persistent partition.
        wipe: Whether what the disk holds may go.
        has_own_command_line: Whether the UKI fixes its root, and so its whole command line.
    """

    disk: Path
    settings: Settings
    root_image: Path
    boot_files: Mapping[BootFileKind, Path]
    boot_loader: Path
    ids: Ids
    definitions: Path = STANDARD_FOLDER
    sizes: Mapping[str, int] = field(default_factory=dict)
    file_size: int = 0
    node_files: NodeFiles = field(default_factory=NodeFiles)
    passwd: Path = STANDARD_PASSWD
    factory: bool = False
    wipe: bool = False
    has_own_command_line: bool = False


def new_ids(seed: uuid.UUID | None, machine_id: str, root_id: uuid.UUID | None) -> Ids:
    """The ids of a new disk, random unless a seed is given."""
    ids = Ids.from_seed(seed or uuid.uuid4(), machine_id)
    if root_id:
        return Ids(ids.seed, {**ids.partitions, "a": root_id}, ids.machine_id)
    return ids


def provision(order: Order, *, dry_run: bool, say: Callable[[str], None]) -> list[Partition]:
    """Make the disk, or only plan it.

    Raises:
        ProvisionError: Before anything is written, if it can be told by then.
    """
    require_repart()
    if not dry_run and not order.factory:
        target.require_root()
    image_size = _check(order)
    made = _make_file(order)
    try:
        with target.claimed(order.disk):
            _require_blank(order)
            return _fill(order, image_size, dry_run=dry_run, say=say)
    except BaseException:
        if made:
            order.disk.unlink(missing_ok=True)
        raise
    finally:
        if made and dry_run:
            order.disk.unlink(missing_ok=True)


def _check(order: Order) -> int:
    check_program(order.settings.general.backend, order.boot_loader)
    _command_line(order)
    check_node_files(order.node_files)
    for path in (order.root_image, *order.boot_files.values()):
        try:
            size = path.stat().st_size
        except OSError as error:
            raise ProvisionError(f"it cannot be read: {error.strerror}", on=path) from error
        if not path.is_file() or not 0 < size <= _MAX_IMAGE_BYTES:
            raise ProvisionError("it must be a file that is not empty", on=path)
    image_size = order.root_image.stat().st_size
    if image_size % target.SECTOR_BYTES:
        raise ProvisionError(
            f"its {image_size} bytes are no multiple of {target.SECTOR_BYTES}",
            on=order.root_image,
            hint="give the image of a file system, not compressed and not cut",
        )
    _check_room(order, image_size, order.sizes.get("a", image_size))
    made = set(labels(order.settings.devices).values()) - set(_left_out(order))
    offline = not order.disk.exists() or not target.is_device(order.disk)
    require_file_system_tools(file_systems(order.definitions, made), offline=offline)
    return image_size


def _check_room(order: Order, image_size: int, slot_size: int) -> None:
    if image_size > slot_size:
        what = f"an image of {image_size} bytes does not fit in a slot of {slot_size}"
        raise ProvisionError(what, on=order.root_image, hint="give a larger --slot-size")


def _left_out(order: Order) -> list[str]:
    """The labels of the partitions that are left to the first boot."""
    names = labels(order.settings.devices)
    return [names["b"], names[PERSIST]] if order.factory else []


def _make_file(order: Order) -> bool:
    """Make the file; false when there is a disk or file already."""
    if not order.disk.exists():
        if order.file_size:
            _make(order.disk, order.file_size)
        return bool(order.file_size)
    there = target.total_size(order.disk)
    if order.file_size not in {0, there}:
        raise ProvisionError(
            f"it has {there} bytes already, and --size says {order.file_size}",
            on=order.disk,
            hint="leave --size away, or remove the file",
            code=os.EX_USAGE,
        )
    return False


def _require_blank(order: Order) -> None:
    held = target.signatures(order.disk)
    if held and not order.wipe:
        raise ProvisionError(
            f"it is not blank: it holds {', '.join(held)}",
            on=order.disk,
            hint="--wipe destroys everything on it",
        )


def _make(path: Path, size: int) -> None:
    try:
        with path.open("xb") as file:
            file.truncate(size)
    except OSError as error:
        raise ProvisionError(f"it cannot be made: {error.strerror}", on=path) from error


def _fill(
    order: Order, image_size: int, *, dry_run: bool, say: Callable[[str], None]
) -> list[Partition]:
    names = labels(order.settings.devices)
    with tempfile.TemporaryDirectory(prefix="puad-provision-") as folder:
        work = Path(folder)
        job = Job(
            disk=order.disk,
            definitions=work / "repart.d",
            empty="force" if order.wipe else "require",
            seed=order.ids.seed,
            offline=not target.is_device(order.disk),
            scratch=work,
        )
        contents = _contents(order, work, names)
        planned = _plan(order, job, contents, image_size)
        if dry_run:
            return planned
        say(f"preparing the contents of {order.disk}")
        _lay_trees(order, work)
        write_definitions(order.definitions, job.definitions, contents, left_out=_left_out(order))
        run_repart(job, dry_run=True)  # once more, with the contents, before anything is lost
        if order.wipe:
            target.wipe(order.disk)
        say(f"writing {len(planned)} partitions to {order.disk}")
        partitions = run_repart(job, dry_run=False)
        say("reading slot a back")
        slot = next(made for made in partitions if made.label == names["a"])
        _read_back(order, slot.offset, image_size)
        return partitions


def _plan(
    order: Order, job: Job, contents: Mapping[str, Contents], image_size: int
) -> list[Partition]:
    """Plan without the root image, for which systemd-repart would make slot a larger."""
    folder = job.scratch / "plan.d"
    empty = {label: replace(what, blocks=None) for label, what in contents.items()}
    write_definitions(order.definitions, folder, empty, left_out=_left_out(order))
    planned = run_repart(replace(job, definitions=folder), dry_run=True)
    names = labels(order.settings.devices)
    sizes = {partition.label: partition.size for partition in planned}
    slot = sizes[names["a"]]
    _check_room(order, image_size, slot)
    if sizes.get(names["b"], slot) != slot:
        raise ProvisionError(
            f"slot a would get {slot} bytes and slot b {sizes[names['b']]}",
            on=order.definitions,
            hint="give --slot-size, or make SizeMinBytes= and SizeMaxBytes= the same in both",
        )
    return planned


def _read_back(order: Order, offset: int, image_size: int) -> None:
    expected = target.image_hash(order.root_image, 0, image_size)
    if target.image_hash(order.disk, offset, image_size) != expected:
        raise ProvisionError(
            "slot a does not hold the root image that was written to it",
            on=order.disk,
            hint="the disk is broken, or somebody else wrote to it",
            code=os.EX_IOERR,
        )


def _contents(order: Order, work: Path, names: Mapping[str, str]) -> dict[str, Contents]:
    # systemd-repart takes no blanks or % in a path as they are: it gets links without them
    (work / "root-image").symlink_to(order.root_image.resolve())
    blocks = {"a": work / "root-image"}
    trees = {ESP: work / "esp", PERSIST: work / "persist"}
    for tree in trees.values():
        tree.mkdir()
    return {
        label: Contents(
            order.ids.partitions[role], order.sizes.get(role, 0), blocks.get(role), trees.get(role)
        )
        for role, label in names.items()
        if label not in _left_out(order)
    }


def _lay_trees(order: Order, work: Path) -> None:
    line = _command_line(order)
    lay_esp(work / "esp", order.settings, order.boot_loader, order.boot_files, line)
    if not order.factory:
        general = order.settings.general
        lay_persistent(work / "persist", order.node_files, order.passwd, general)


def _command_line(order: Order) -> str:
    """The kernel command line of the first entry; empty for a UKI that keeps the one it brings."""
    if order.has_own_command_line:
        return ""
    template = order.settings.general.command_line
    if order.factory:
        template = f"{template} {_FIRST_BOOT_WORDS}"
    try:
        return order.ids.command_line(template)
    except BootloaderError as error:
        raise ProvisionError(
            error.what,
            on="bootloader.toml",
            hint="shorten its command_line",
            code=os.EX_CONFIG,
        ) from error
