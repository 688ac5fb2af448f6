# SPDX-License-Identifier: Apache-2.0
"""The OS profile manifest, against upstream's own example and hostile values."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from puad.core.errors import Code, TrustError
from puad.core.profile import OSProfile, OSProvider, SecurityFeature, parse_profile
from puad.core.wire import OSType

HASH = "0123456789abcdef" * 4
PROFILE = OSProfile(
    name="Edge 13.2",
    profile_name="edge",
    image_url="edge/13.2/edge-13.2.raw.zst",
    image_id="13.2",
    file_hash=HASH,
    architecture="x86_64",
    description="Kernel 6.12.41\nand 26 other packages",
    metadata={"release": "0.1", "version": "13.2"},
)
UPSTREAM = f"""
appVersion: apps/v1
metadata:
  release: 0.0.0-dev
  version: 0.0.2
spec:
  name: Edge Microvisor Toolkit 3.0.20260602
  type: OS_TYPE_IMMUTABLE
  provider: OS_PROVIDER_KIND_INFRA
  architecture: x86_64
  profileName: microvisor-nonrt
  osImageUrl: files-edge-orch/repository/microvisor/non_rt/edge-3.0.20260602.2200-signed.raw.gz
  osImageVersion: 3.0.20260602.2200
  osImageSha256: {HASH}
  osPackageManifestURL: files-edge-orch/repository/microvisor/non_rt/edge_pkg_manifest.json
  osExistingCvesURL: files-edge-orch/repository/microvisor/non_rt/edge_cve.json
  osFixedCvesURL: files-edge-orch/repository/microvisor/non_rt/edge_fixed_cves.json
  securityFeature: SECURITY_FEATURE_SECURE_BOOT_AND_FULL_DISK_ENCRYPTION
  platformBundle:
  somethingNew: [1, 2]
"""
LINES = st.text(
    st.characters(min_codepoint=0xA0, max_codepoint=0x2000, codec="utf-8"), max_size=128
)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}", fullmatch=True)
TEXTS = st.dictionaries(LINES, LINES, max_size=4)
PROFILES = st.builds(
    OSProfile,
    name=LINES.filter(bool),
    profile_name=NAMES,
    image_url=st.lists(NAMES.map(lambda name: name[:20]), min_size=1, max_size=16).map("/".join),
    image_id=NAMES,
    file_hash=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    os_type=st.sampled_from([OSType.MUTABLE, OSType.IMMUTABLE]),
    provider=st.sampled_from([OSProvider.INFRA, OSProvider.LENOVO]),
    security_feature=st.sampled_from(list(SecurityFeature)[1:]),
    architecture=st.from_regex(r"[a-z0-9_]{0,20}", fullmatch=True),
    description=LINES,
    package_manifest_url=LINES,
    existing_cves_url=LINES,
    fixed_cves_url=LINES,
    tls_ca_certificate=st.just("-----BEGIN CERTIFICATE-----\nAA==\n"),
    platform_bundle=TEXTS,
    app_version=LINES,
    metadata=TEXTS,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def spec(**changes: object) -> dict[str, Any]:
    document = PROFILE.dump()
    document["spec"] |= changes
    return document


def test_dump_has_upstreams_names() -> None:
    assert PROFILE.dump() == {
        "appVersion": "",
        "metadata": {"release": "0.1", "version": "13.2"},
        "spec": {
            "name": "Edge 13.2",
            "type": "OS_TYPE_IMMUTABLE",
            "provider": "OS_PROVIDER_KIND_INFRA",
            "architecture": "x86_64",
            "profileName": "edge",
            "osImageUrl": "edge/13.2/edge-13.2.raw.zst",
            "osImageSha256": HASH,
            "osImageVersion": "13.2",
            "osPackageManifestURL": "",
            "osExistingCvesURL": "",
            "osFixedCvesURL": "",
            "securityFeature": "SECURITY_FEATURE_NONE",
            "platformBundle": {},
            "description": "Kernel 6.12.41\nand 26 other packages",
            "tlsCaCertificate": "",
        },
    }


@given(PROFILES)
def test_profile_any_comes_back_through_yaml(profile: OSProfile) -> None:
    text = yaml.safe_dump(profile.dump())
    assert parse_profile(yaml.safe_load(text)) == profile


def test_profile_version_that_looks_like_a_number_comes_back() -> None:
    """YAML reads an unquoted 13.10 as 13.1; what the publisher dumps is quoted."""
    profile = parse_profile(spec(osImageVersion="13.10"))
    assert parse_profile(yaml.safe_load(yaml.safe_dump(profile.dump()))).image_id == "13.10"
    with pytest.raises(TrustError, match="osImageVersion"):
        parse_profile(yaml.safe_load(UPSTREAM.replace("3.0.20260602.2200\n", "13.10\n")))


def test_parse_profile_upstream_example_is_read() -> None:
    profile = parse_profile(yaml.safe_load(UPSTREAM))
    assert profile.profile_name == "microvisor-nonrt"
    assert profile.image_id == "3.0.20260602.2200"
    assert profile.security_feature is SecurityFeature.SECURE_BOOT_AND_FULL_DISK_ENCRYPTION
    assert profile.platform_bundle == {}
    assert profile.metadata == {"release": "0.0.0-dev", "version": "0.0.2"}


@pytest.mark.parametrize(
    ("key", "unspecified"),
    [
        ("type", "OS_TYPE_UNSPECIFIED"),
        ("provider", "OS_PROVIDER_KIND_UNSPECIFIED"),
        ("securityFeature", "SECURITY_FEATURE_UNSPECIFIED"),
    ],
)
@pytest.mark.parametrize("other", [None, "", "unspecified", "INFRA", 0, 1, True, [], {}])
def test_parse_profile_kind_that_is_not_known_is_rejected(
    key: str, unspecified: str, other: object
) -> None:
    for value in (unspecified, other):
        with pytest.raises(TrustError, match=key) as caught:
            parse_profile(spec(**{key: value}))
        assert caught.value.code is Code.MANIFEST_INVALID


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", None),
        ("name", ""),
        ("name", "two\nlines"),
        ("name", "x" * 129),
        ("profileName", None),
        ("profileName", "a/b"),
        ("osImageUrl", None),
        ("osImageUrl", "https://evil/x"),
        ("osImageUrl", "../x"),
        ("osImageUrl", "a/../b"),
        ("osImageUrl", "/a"),
        ("osImageUrl", "a/" * 250 + "a"),
        ("osImageSha256", HASH.upper()),
        ("osImageSha256", HASH[1:]),
        ("osImageVersion", "1 2"),
        ("osImageVersion", 13.1),
        ("architecture", "x86 64"),
        ("architecture", "x" * 21),
        ("description", "x" * 1001),
        ("description", "\x00"),
        ("tlsCaCertificate", "x" * (1 << 17)),
        ("osFixedCvesURL", "a\nb"),
        ("osExistingCvesURL", ["a"]),
        ("osPackageManifestURL", "a" * 501),
        ("platformBundle", [1]),
        ("platformBundle", {"a": {"nested": "x"}}),
        ("platformBundle", {1: "x"}),
        ("platformBundle", {"a\n": "x"}),
        ("platformBundle", {str(n): "x" for n in range(65)}),
    ],
)
def test_parse_profile_bad_value_is_rejected(key: str, value: object) -> None:
    with pytest.raises(TrustError) as caught:
        parse_profile(spec(**{key: value}))
    assert caught.value.code is Code.MANIFEST_INVALID


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "x" * 128),
        ("osFixedCvesURL", "x" * 500),
        ("description", "x" * 1000),
        ("platformBundle", {str(number): "x" for number in range(64)}),
    ],
)
def test_parse_profile_largest_value_is_read(key: str, value: object) -> None:
    assert parse_profile(spec(**{key: value})).dump()["spec"][key] == value


@pytest.mark.parametrize("document", [None, [], "x", {}, {"spec": None}, {"spec": []}])
def test_parse_profile_without_a_spec_is_rejected(document: object) -> None:
    with pytest.raises(TrustError, match="no spec"):
        parse_profile(document)


@given(st.sampled_from(sorted(PROFILE.dump()["spec"])), JSON)
def test_parse_profile_any_value_is_read_or_rejected(key: str, value: object) -> None:
    document = spec(**{key: value})
    try:
        profile = parse_profile(document)
    except TrustError:
        return
    assert parse_profile(profile.dump()) == profile
