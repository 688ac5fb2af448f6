# SPDX-License-Identifier: Apache-2.0
"""UKI: kernel, initial RAM disk and command line in one EFI program, as upstream's images have it.

Its command line names the root partition by an id that the image brings, so a slot that boots it
must get that id.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.demo.layout import key
from tests.vm.image.layout import CACHE
from tests.vm.image.recipe import NodeImage
from tests.vm.image.roots import BUILT_AT_S
from tests.vm.image.toolbox import in_toolbox

_STUB = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub"


def make_uki(image: NodeImage, command_line: str) -> Path:
    """A UKI of the image's boot files with this command line."""
    names = (image.linux.parents[1].name, image.initrd.name)
    made = CACHE / f"uki-{image.version}-{key(names, command_line)}.efi"
    if made.exists():
        return made
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="work-") as folder:
        work = Path(folder)
        for name, source in (("linux", image.linux), ("initrd", image.initrd)):
            (work / name).write_bytes(source.read_bytes())
        os_release = work / "os-release"
        os_release.write_text(
            f"ID=debian\nIMAGE_ID=edge\nIMAGE_VERSION={image.version}\n", encoding="ascii"
        )
        command = [
            *("ukify", "build", f"--linux={work / 'linux'}", f"--initrd={work / 'initrd'}"),
            *(f"--cmdline={command_line}", f"--os-release=@{os_release}", f"--stub={_STUB}"),
            f"--output={work / 'uki'}",
        ]
        in_toolbox(command, [work], {"SOURCE_DATE_EPOCH": str(BUILT_AT_S)})
        (work / "uki").rename(made)
    return made
