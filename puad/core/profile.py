# SPDX-License-Identifier: Apache-2.0
"""The OS profile manifest: what the release service tells the OS resource manager of one release.

Its YAML text has the fields of upstream's OSProfileManifest (protocol.md §8, §8b); whoever reads
or writes the text does so with a safe loader and passes the plain mapping. Rules:

1. A profile whose type, provider or security feature is missing, unspecified or unknown is
   rejected, as upstream does.
2. `osImageVersion` is the image id, and `osImageUrl` a path relative to the release service.
3. Unknown fields are ignored, so that upstream's manifests of immutable profiles can be read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeVar

from puad.core.errors import Code, TrustError
from puad.core.wire import OSType

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}")
_PATH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]*(/[A-Za-z0-9][A-Za-z0-9._+~-]*){0,15}")
_LINE: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]*")
_TEXT: Final = re.compile(r"[^\x00\ud800-\udfff]*")
_NAME_LINE: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,128}")
_ARCHITECTURE: Final = re.compile(r"[A-Za-z0-9_.-]{0,20}")
_MAX_LINE_CHARS: Final = 500
_MAX_DESCRIPTION_CHARS: Final = 1000
_MAX_CERTIFICATE_CHARS: Final = 1 << 16
_MAX_ENTRIES: Final = 64

Word = TypeVar("Word", bound=StrEnum)


class OSProvider(StrEnum):
    """Who makes the OS."""

    UNSPECIFIED = "OS_PROVIDER_KIND_UNSPECIFIED"
    INFRA = "OS_PROVIDER_KIND_INFRA"
    LENOVO = "OS_PROVIDER_KIND_LENOVO"


class SecurityFeature(StrEnum):
    """What the OS needs of the machine's security."""

    UNSPECIFIED = "SECURITY_FEATURE_UNSPECIFIED"
    NONE = "SECURITY_FEATURE_NONE"
    SECURE_BOOT_AND_FULL_DISK_ENCRYPTION = "SECURITY_FEATURE_SECURE_BOOT_AND_FULL_DISK_ENCRYPTION"


@dataclass(frozen=True, slots=True)
class OSProfile:
    """The OS profile manifest of one release.

    Attributes:
        name: What the OS resource is called, for people.
        profile_name: The OS profile.
        image_url: Path of the published file, relative to the release service.
        image_id: The image id; `osImageVersion` in the manifest.
        file_hash: SHA-256 of the published file, hex.
        os_type: Mutable or immutable.
        provider: Who makes the OS.
        security_feature: What it needs of the machine's security.
        architecture: The machine's architecture, as `uname -m` says it.
        description: What is new, for people.
        package_manifest_url: Where the list of packages is; empty when there is none.
        existing_cves_url: Where the list of known CVEs is; empty when there is none.
        fixed_cves_url: Where the list of fixed CVEs is; empty when there is none.
        tls_ca_certificate: The CA of the release service, PEM; empty when the usual ones do.
        platform_bundle: Names of provisioning artifacts; upstream's, only carried.
        app_version: Version of the manifest's own form.
        metadata: Notes on the release: text by name.
    """

    name: str
    profile_name: str
    image_url: str
    image_id: str
    file_hash: str
    os_type: OSType = OSType.IMMUTABLE
    provider: OSProvider = OSProvider.INFRA
    security_feature: SecurityFeature = SecurityFeature.NONE
    architecture: str = ""
    description: str = ""
    package_manifest_url: str = ""
    existing_cves_url: str = ""
    fixed_cves_url: str = ""
    tls_ca_certificate: str = ""
    platform_bundle: Mapping[str, str] = field(default_factory=dict)
    app_version: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)

    def dump(self) -> dict[str, Any]:
        """The manifest as plain values, for the publisher to write as YAML."""
        return {
            "appVersion": self.app_version,
            "metadata": dict(self.metadata),
            "spec": {
                "name": self.name,
                "type": self.os_type.value,
                "provider": self.provider.value,
                "architecture": self.architecture,
                "profileName": self.profile_name,
                "osImageUrl": self.image_url,
                "osImageSha256": self.file_hash,
                "osImageVersion": self.image_id,
                "osPackageManifestURL": self.package_manifest_url,
                "osExistingCvesURL": self.existing_cves_url,
                "osFixedCvesURL": self.fixed_cves_url,
                "securityFeature": self.security_feature.value,
                "platformBundle": dict(self.platform_bundle),
                "description": self.description,
                "tlsCaCertificate": self.tls_ca_certificate,
            },
        }


def parse_profile(document: object) -> OSProfile:
    """Read a manifest whose YAML has been loaded, whatever values it holds.

    Raises:
        TrustError: `MANIFEST_INVALID`, when a field is missing or has a wrong value.
    """
    if not isinstance(document, Mapping) or not isinstance(document.get("spec"), Mapping):
        raise _broken("it has no spec")
    spec: Mapping[str, Any] = document["spec"]
    return OSProfile(
        name=_text(spec, "name", _NAME_LINE),
        profile_name=_text(spec, "profileName", _NAME),
        image_url=_text(spec, "osImageUrl", _PATH),
        image_id=_text(spec, "osImageVersion", _NAME),
        file_hash=_text(spec, "osImageSha256", _SHA256),
        os_type=_word(spec, "type", OSType),
        provider=_word(spec, "provider", OSProvider),
        security_feature=_word(spec, "securityFeature", SecurityFeature),
        architecture=_text(spec, "architecture", _ARCHITECTURE),
        description=_text(spec, "description", _TEXT, _MAX_DESCRIPTION_CHARS),
        package_manifest_url=_text(spec, "osPackageManifestURL", _LINE),
        existing_cves_url=_text(spec, "osExistingCvesURL", _LINE),
        fixed_cves_url=_text(spec, "osFixedCvesURL", _LINE),
        tls_ca_certificate=_text(spec, "tlsCaCertificate", _TEXT, _MAX_CERTIFICATE_CHARS),
        platform_bundle=_texts(spec, "platformBundle"),
        app_version=_text(document, "appVersion", _LINE),
        metadata=_texts(document, "metadata"),
    )


def _text(
    document: Mapping[str, Any], key: str, form: re.Pattern[str], most: int = _MAX_LINE_CHARS
) -> str:
    # YAML has an empty value for a key without one, and reads 13.1 as a number unless quoted.
    value = "" if document.get(key) is None else document[key]
    if not isinstance(value, str) or len(value) > most or not form.fullmatch(value):
        raise _broken(f"{key} is missing, too long or has a wrong form (texts must be quoted)")
    return value


def _word(document: Mapping[str, Any], key: str, words: type[Word]) -> Word:
    value, (unspecified, *usable) = document.get(key), words
    if not isinstance(value, str) or value not in usable:
        raise _broken(f"{key} is missing, {unspecified.value} or unknown")
    return words(value)


def _texts(document: Mapping[str, Any], key: str) -> dict[str, str]:
    values = document.get(key) or {}
    if not isinstance(values, Mapping) or len(values) > _MAX_ENTRIES:
        raise _broken(f"{key} is no short mapping")
    if not all(isinstance(name, str) and _LINE.fullmatch(name) for name in values):
        raise _broken(f"{key} has a name that is no text")
    return {name: _text(values, name, _LINE) for name in values}


def _broken(why: str) -> TrustError:
    return TrustError(Code.MANIFEST_INVALID, f"the OS profile manifest cannot be used: {why}")
