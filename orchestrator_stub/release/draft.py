# SPDX-License-Identifier: Apache-2.0
"""A draft: what the publisher says of an image, before its bytes have been read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import yaml

from orchestrator_stub.release.disk_image.whole_disk import DiskChoice, WholeDisk
from orchestrator_stub.release.errors import UsageError
from orchestrator_stub.release.frames import Encoded
from orchestrator_stub.release.release import ReleaseFile, file_path
from puad.core.boot_file import BootFile, BootFileKind
from puad.core.errors import TrustError
from puad.core.manifest import PARTUUID, Manifest, parse_manifest
from puad.core.profile import OSProfile, parse_profile
from puad.core.version import compare_versions

_CLOCK_TOLERANCE: Final = timedelta(hours=1)
_NO_HASH: Final = "0" * 64
# The documents of an OS profile manifest by its field, and how their target paths end.
DOCUMENTS: Final[Mapping[str, str]] = {
    "package_manifest_url": "_pkg_manifest.json",
    "existing_cves_url": "_cve.json",
    "fixed_cves_url": "_fixed_cves.json",
}


@dataclass(frozen=True, slots=True)
class Draft:
    """What the publisher says of an image.

    Attributes:
        about: The OS profile manifest, still without paths and hash.
        format: Format of the published file.
        built_at: When it was built, UTC.
        min_version: The version floor that it brings.
        root_partuuid: The partition id that its boot files expect.
        boot_files: Files for the boot loader.
        documents: Package manifest and CVE lists, by the manifest's field that names them.
        root_partition: Which partition of a whole disk is the root, by label or number.
        uki_path: Where on the disk's ESP the UKI lies.
        disk: What was found on the disk; None when the image is a root image.
    """

    about: OSProfile
    format: str
    built_at: datetime
    min_version: str | None = None
    root_partuuid: str | None = None
    boot_files: Mapping[BootFileKind, Path] = field(default_factory=dict)
    documents: Mapping[str, Path] = field(default_factory=dict)
    root_partition: str | None = None
    uki_path: str | None = None
    disk: WholeDisk | None = None

    @property
    def disk_choice(self) -> DiskChoice:
        """What is to be found on a whole disk; its UKI only where no boot file is given."""
        return DiskChoice(self.root_partition, self.uki_path, bool(self.boot_files))

    @property
    def key(self) -> tuple[str, str]:
        """Profile (IMAGE_ID of its os-release) and version (IMAGE_VERSION)."""
        return self.about.profile_name, self.about.image_id

    @property
    def image_path(self) -> str:
        """Target path of the image."""
        return self.path(f".{self.format}")

    @property
    def index_path(self) -> str:
        """Target path of the chunk index."""
        return f"{self.image_path}.idx"

    @property
    def boot_paths(self) -> dict[str, BootFileKind]:
        """Target path and kind of each boot file."""
        return {self.path(f".{kind}"): kind for kind in sorted(self.boot_files)}

    def path(self, ending: str) -> str:
        """The target path of the release's file with that ending."""
        return file_path(*self.key, ending)

    def check(self, now: datetime) -> None:
        """Refuse what no reader would accept, before the long work begins.

        Raises:
            UsageError: When a word has a wrong form, or the times and versions contradict.
        """
        if self.root_partuuid is not None and not PARTUUID.fullmatch(self.root_partuuid):
            raise UsageError(
                "this is no id of a partition",
                on=f"--root-partuuid {self.root_partuuid}",
                hint="Give it as `blkid -s PARTUUID -o value` prints it.",
            )
        self.manifest(Encoded(1, _NO_HASH, 1, _NO_HASH), ())
        self.profile_manifest(_NO_HASH)
        if BootFileKind.INITRD in self.boot_files and BootFileKind.LINUX not in self.boot_files:
            raise UsageError(
                "an initrd is nothing without its kernel",
                on="--initrd",
                hint="Give the kernel with --linux as well; a --uki has its initrd inside.",
            )
        if self.uki_path is not None and self.boot_files:
            raise UsageError(
                "boot files are given, and one on the disk is named as well",
                on="--uki-path",
                hint="Leave out --uki-path, or --uki, --linux and --initrd.",
            )
        if self.built_at > now + _CLOCK_TOLERANCE:
            raise UsageError(
                "the image would have been built in the future, and nodes would not trust clocks",
                on=self.built_at.isoformat(),
                hint="Correct this machine's clock, or give the true time with --built-at.",
            )
        if self.min_version and compare_versions(self.min_version, self.about.image_id) > 0:
            raise UsageError(
                "the image would lie below the version floor that it brings",
                on=f"{self.min_version} > {self.about.image_id}",
                hint="Give a --min-version that is not newer than --version.",
            )

    def manifest(self, encoded: Encoded, small: Sequence[ReleaseFile]) -> Manifest:
        """The manifest of the image.

        Args:
            encoded: What the image became.
            small: The release's other files; the boot files among them are listed.

        Raises:
            UsageError: When a word has a wrong form.
        """
        kinds = self.boot_paths
        boot = [BootFile(kinds[f.path], f.path, f.size, f.sha256) for f in small if f.path in kinds]
        found = self.disk
        manifest = Manifest(
            profile=self.about.profile_name,
            version=self.about.image_id,
            format=self.format,
            image_size=encoded.image_size,
            image_hash=encoded.image_hash,
            built_at=self.built_at.astimezone(UTC).replace(microsecond=0),
            index=self.index_path,
            min_version=self.min_version,
            root_partuuid=self.root_partuuid or (found.root_partuuid if found else None),
            boot_files=(*boot, *(found.boot_files if found else ())),
            disk=found.map if found else None,
        )
        try:
            return parse_manifest(manifest.dump())
        except TrustError as error:
            raise _wrong_form(error, self) from error

    def image_file(self, encoded: Encoded, small: Sequence[ReleaseFile]) -> ReleaseFile:
        """The image's own target file, which carries the manifest; see `manifest`."""
        custom = self.manifest(encoded, small).dump()
        return ReleaseFile(self.image_path, encoded.file_size, encoded.file_hash, custom)

    def profile_manifest(self, file_hash: str) -> bytes:
        """The OS profile manifest, as YAML.

        Raises:
            UsageError: When a word has a wrong form.
        """
        urls = {key: self.path(DOCUMENTS[key]) for key in self.documents}
        document = replace(
            self.about,
            image_url=self.image_path,
            file_hash=file_hash,
            package_manifest_url=urls.get("package_manifest_url", ""),
            existing_cves_url=urls.get("existing_cves_url", ""),
            fixed_cves_url=urls.get("fixed_cves_url", ""),
        ).dump()
        try:
            parse_profile(document)
        except TrustError as error:
            raise _wrong_form(error, self) from error
        return yaml.safe_dump(document, sort_keys=False, allow_unicode=True).encode()

    def built(self, at: datetime) -> Draft:
        """This draft with another time of building."""
        return replace(self, built_at=at)


def _wrong_form(error: TrustError, draft: Draft) -> UsageError:
    return UsageError(
        error.what,
        on=" ".join(draft.key),
        hint="Use letters, digits and . _ + ~ - for profile and versions; see --help.",
    )
