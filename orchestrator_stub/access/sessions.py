# SPDX-License-Identifier: Apache-2.0
"""Sessions: the logged-in browsers of operators.

1. A session's id is a secret of 256 bits that only the browser has; its SHA-256 is stored.
2. Each login makes a new id, and ends the session that the browser had: an id that somebody has
   planted there is worth nothing afterwards.
3. A session ends when it is not used for 12 hours, 7 days after the login, at the logout, and when
   its operator's password changes elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from orchestrator_stub.access.secret import digest, new_secret
from orchestrator_stub.records import Operator, OperatorSession

IDLE_S: Final = 12 * 3600
MOST_S: Final = 7 * 86_400
USED_EVERY_S: Final = 300
"""How often a use is written: a page that is only looked at writes nothing in between."""

MOST_OF_ONE: Final = 20


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that has just been opened.

    Attributes:
        cookie: Its id, for the browser alone.
        csrf_token: What each of its forms sends along.
        expires_s: When it ends at the latest, Unix time.
    """

    cookie: str = field(repr=False)
    csrf_token: str = field(repr=False)
    expires_s: int


def open_for(session: Session, operator: Operator, now_s: int) -> Opened:
    """Open a session, and forget those that have ended and the operator's oldest beyond 20."""
    _sweep(session, operator, now_s)
    opened = Opened(new_secret(), new_secret(), now_s + MOST_S)
    session.add(
        OperatorSession(
            token_hash=digest(opened.cookie),
            operator_id=operator.id,
            csrf_token=opened.csrf_token,
            used_s=now_s,
            expires_s=opened.expires_s,
        )
    )
    return opened


def find(session: Session, cookie: str, now_s: int) -> OperatorSession | None:
    """The session of a cookie, unless it has ended."""
    found = session.get(OperatorSession, digest(cookie))
    if found is None or now_s >= found.expires_s or now_s - found.used_s >= IDLE_S:
        return None
    return found


def needs_mark(found: OperatorSession, now_s: int) -> bool:
    """Whether a use has to be written."""
    return now_s - found.used_s >= USED_EVERY_S


def close(session: Session, cookie: str) -> None:
    """End the session of a cookie; nothing happens when there is none."""
    session.execute(delete(OperatorSession).where(OperatorSession.token_hash == digest(cookie)))


def _sweep(session: Session, operator: Operator, now_s: int) -> None:
    ended = or_(OperatorSession.expires_s <= now_s, OperatorSession.used_s <= now_s - IDLE_S)
    session.execute(delete(OperatorSession).where(ended))
    own = session.scalars(
        select(OperatorSession.token_hash)
        .where(OperatorSession.operator_id == operator.id)
        .order_by(OperatorSession.used_s.desc(), OperatorSession.token_hash)
    ).all()
    oldest = own[MOST_OF_ONE - 1 :]
    if oldest:
        session.execute(delete(OperatorSession).where(OperatorSession.token_hash.in_(oldest)))
