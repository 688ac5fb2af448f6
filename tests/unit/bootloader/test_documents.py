# SPDX-License-Identifier: Apache-2.0
"""docs/boot-control.md and the XML tell the truth about the code."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

from bootloader.errors import ErrorName

REPOSITORY = Path(__file__).resolve().parents[3]
TEXT = (REPOSITORY / "docs/boot-control.md").read_text()


def test_document_explains_each_refusal_once() -> None:
    rows = re.findall(r"^\| `([A-Z][a-z]\w*)` \|", TEXT, re.MULTILINE)
    assert rows == [name.value for name in ErrorName]


def test_document_names_each_method() -> None:
    xml = ET.parse(REPOSITORY / "bootloader/org.puad.Bootloader1.xml")
    methods = {method.attrib["name"] for method in xml.iter("method")}
    assert methods <= set(re.findall(r"`(\w+)\(", TEXT))


def test_every_refusal_is_used() -> None:
    code = "".join(path.read_text() for path in (REPOSITORY / "bootloader").rglob("*.py"))
    assert [name for name in ErrorName if f"ErrorName.{name.name}" not in code] == []
