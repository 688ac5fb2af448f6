# SPDX-License-Identifier: Apache-2.0
"""SWUpdate: `swupdate -i` of a .swu whose raw image goes straight to the device."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.bench.install.contenders.contender import Contender, Stage, synced
from tests.bench.measured import Used, run_measured

_FILE: Final = "rootfs.img.zst"
_DESCRIPTION: Final = """\
software =
{{
  version = "1.0.0";
  hardware-compatibility: [ "1.0" ];
  images: (
    {{
      filename = "{file}";
      type = "raw";
      device = "{device}";
      compressed = "zstd";
      installed-directly = true;
      sha256 = "{sha256}";
    }}
  );
}}
"""


class Swupdate(
    Contender,
    name="swupdate -i",
    promises="a local file; signed description; its hash known when all is written; our fsync",
):
    """The same compressed file that puad publishes."""

    @property
    def _folder(self) -> Path:
        return self.stage.folder / "swupdate"

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._folder.mkdir(parents=True)
        key, cert = self._folder / "key.pem", self._folder / "cert.pem"
        request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650"]
        purpose = ["-addext", "extendedKeyUsage=emailProtection"]
        named = ["-subj", "/CN=bench", "-keyout", str(key), "-out", str(cert)]
        run_measured([*request, *purpose, *named])

    def install(self, device: Path) -> dict[str, Used]:
        update = self._update(device)
        command = [
            "swupdate",
            "-k",
            f"{self._folder}/cert.pem",
            "-H",
            "bench:1.0",
            "-i",
            f"{update}",
        ]
        return {self.name: synced(lambda: run_measured(command), device)}

    def _update(self, device: Path) -> Path:
        """The .swu for a device, made when it is first asked for."""
        update = self._folder / f"{device.name}.swu"
        if not update.exists():
            published = self.stage.repository.file(self.stage.version)
            digest = hashlib.sha256(published.read_bytes()).hexdigest()
            text = _DESCRIPTION.format(file=_FILE, device=device, sha256=digest)
            description = self._folder / "sw-description"
            signature = self._folder / "sw-description.sig"
            description.write_text(text)
            sign = ["openssl", "cms", "-sign", "-in", f"{description}", "-out", f"{signature}"]
            signer = ["-signer", f"{self._folder}/cert.pem", "-inkey", f"{self._folder}/key.pem"]
            run_measured([*sign, *signer, "-outform", "DER", "-nosmimecap", "-binary"])
            files = {path.name: path for path in (description, signature)}
            with update.open("wb") as file:
                for piece in _archive({**files, _FILE: published}):
                    file.write(piece)
        return update


def _archive(files: Mapping[str, Path]) -> Iterator[bytes]:
    """cpio's format `crc`, which swupdate reads; its checksum is the sum of all bytes."""
    for number, (name, path) in enumerate(files.items(), start=1):
        data = path.read_bytes()
        yield _head(number, 0o100644, len(data), name, sum(data) & 0xFFFFFFFF)
        yield data + bytes(-len(data) % 4)
    yield _head(0, 0, 0, "TRAILER!!!", 0)


def _head(number: int, mode: int, size: int, name: str, checksum: int) -> bytes:
    encoded = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(encoded), checksum)
    head = b"070702" + b"".join(b"%08X" % value for value in fields) + encoded
    return head + bytes(-len(head) % 4)
