# SPDX-License-Identifier: Apache-2.0
"""Messages that survive a redirect: what a form did, told on the page that comes next.

They travel in a cookie that is signed with the session's CSRF token, so nobody else can put words
into the page's mouth, and several server processes need not share anything.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

COOKIE: Final = "puad_message"
MAX_AGE_S: Final = 120
_MAX_CHARS: Final = 700  # a cookie has at most 4096 bytes


class Tone(StrEnum):
    """How a message is meant."""

    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Message:
    """One message to an operator."""

    tone: Tone
    text: str


def dump(message: Message, key: str) -> str:
    """A message as a cookie's value."""
    body = json.dumps([message.tone.value, message.text[:_MAX_CHARS]], ensure_ascii=False).encode()
    return f"{base64.urlsafe_b64encode(body).decode()}.{_signature(body, key)}"


def load(value: str, key: str) -> Message | None:
    """The message of a cookie; None when it was not written for this session."""
    encoded, _, signature = value.partition(".")
    try:
        body = base64.b64decode(encoded.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if not hmac.compare_digest(signature.encode(errors="replace"), _signature(body, key).encode()):
        return None
    tone, text = json.loads(body)
    return Message(Tone(tone), str(text))


def _signature(body: bytes, key: str) -> str:
    return hmac.new(key.encode(), b"message:" + body, hashlib.sha256).hexdigest()
