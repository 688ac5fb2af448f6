# SPDX-License-Identifier: Apache-2.0
"""Answers for people: what a command has done, and what comes next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator_stub.release.report import render_report, warning_lines
from orchestrator_stub.release.size import size_text

Answer = Mapping[str, Any]


def answer_text(command: str, answer: Answer) -> str:
    """The answer of a command as text."""
    if command == "status":
        return render_report(answer)
    return "\n".join(_TEXTS[command](answer))


def _init(answer: Answer) -> Iterator[str]:
    yield "The repository is ready. Build this root of trust into your images:"
    yield f"  {answer['root_json']}"
    yield "Private keys, to be backed up and kept from others:"
    yield f"  {answer['keys']}"
    for role, plan in answer["roles"].items():
        yield f"  {role}: {plan['threshold']} of {plan['keys']} must sign"
    yield "Only `rotate`, and `publish` once a year to renew the root, need the root-*.pem"
    yield "files: keep them off this machine until `status` warns."


def _add(answer: Answer) -> Iterator[str]:
    release = answer["release"]
    name = f"{release['profile']} {release['version']}"
    if not answer["changed"]:
        yield f"Nothing to do: {name} has these bytes already."
        return
    sizes = f"{size_text(release['file_size'])} for {size_text(release['image_size'])}"
    yield f"Staged {name}: {sizes} of image."
    if answer["replaced"]:
        yield "It takes the place of other bytes that were staged under that version."
    if release["disk"]:
        yield f"It is a whole disk of {size_text(release['disk']['size'])}; its root image has"
        yield f"{size_text(release['image_size'])}, and {_boot_files(release)} on it."
    for delta in release["deltas"]:
        yield f"  delta from {delta['from_version']}: {size_text(delta['size'])}"
    yield "`puad-release publish` makes it public."
    yield from _warnings(answer)


def _boot_files(release: Mapping[str, Any]) -> str:
    kinds = ", ".join(release["boot_files"])
    return f"its boot files ({kinds}) lie" if kinds else "no boot file lies"


def _publish(answer: Answer) -> Iterator[str]:
    for release in answer["published"]:
        yield f"Published {release['profile']} {release['version']}"
        yield f"  path      {release['path']}"
        yield f"  file hash {release['file_hash']}"
    yield from _signed(answer)
    yield from _warnings(answer)


def _withdraw(answer: Answer) -> Iterator[str]:
    name = f"{answer['profile']} {answer['version']}"
    if answer["was_published"]:
        yield f"Withdrew {name} for all nodes; no `publish` is needed."
    if answer["was_staged"]:
        yield f"Removed {name} from the staged releases."
    if answer["deleted"]:
        yield "Deleted its files."
    if not answer["changed"]:
        yield f"Nothing to do: {name} was withdrawn before: {answer['reason']}"
        return
    yield from _newly_signed(answer)


def _rotate(answer: Answer) -> Iterator[str]:
    yield f"The {answer['role']} role has new keys:"
    yield from (f"  {path}" for path in answer["new_keys"])
    yield "Old keys, no longer trusted once nodes have asked again; destroy these files:"
    yield from (f"  {path}" for path in answer["old_keys"])
    yield f"The newest root is {answer['root_json']}; build it into new images."


def _export(answer: Answer) -> Iterator[str]:
    release = answer["release"]
    yield f"Exported {release['profile']} {release['version']} to {answer['folder']}"
    yield f"  can be installed until {answer['expires']}"
    yield "The served metadata were signed anew above it."


def _warnings(answer: Answer) -> Iterator[str]:
    for warning in answer["warnings"]:
        yield from warning_lines(warning)


def _signed(answer: Answer) -> Iterator[str]:
    if not answer["signed"]:
        yield "Nothing to do: nothing is staged, and nothing nears its expiry."
    yield from _newly_signed(answer)


def _newly_signed(answer: Answer) -> Iterator[str]:
    for role, entry in answer["signed"].items():
        yield f"Signed {role} version {entry['version']}, holds until {entry['expires']}"


_TEXTS = {
    "init": _init,
    "add": _add,
    "publish": _publish,
    "withdraw": _withdraw,
    "rotate": _rotate,
    "export": _export,
}
