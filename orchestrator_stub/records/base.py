# SPDX-License-Identifier: Apache-2.0
"""What every record has in common: the declarative base, its types, its two times, its ids.

Every time is a whole number of seconds of Unix time, so that no database can shift its zone.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, TypeVar

from sqlalchemy import JSON, BigInteger, Enum, MetaData, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


def now_s() -> int:
    """The time, Unix seconds."""
    return int(time.time())


ID: Final = "[a-z]+-[0-9a-f]{8}"
"""The form of an id; what has another one is in no table, and may be what a database refuses."""

_ID: Final = re.compile(ID)


def is_id(text: str) -> bool:
    """Whether a text has the form of an id."""
    return _ID.fullmatch(text) is not None


def new_id(prefix: str) -> Callable[[], str]:
    """A maker of ids such as `host-0badcafe`, the form that the original API has."""
    return lambda: f"{prefix}-{secrets.token_hex(4)}"


def _words(vocabulary: type[StrEnum]) -> list[str]:
    return [str(word) for word in vocabulary]


IMAGE_ID_CHARS: Final = 128
"""The longest image id that a record has, and the longest name of an OS profile."""


class Base(DeclarativeBase):
    """The root of every record."""

    # names that a migration can refer to, the same on every database
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads a plain class attribute
        int: BigInteger,
        str: Text,
        dict[str, Any]: JSON,
        list[dict[str, Any]]: JSON,
        list[str]: JSON,
        StrEnum: Enum(StrEnum, native_enum=False, length=40, values_callable=_words),
    }

    created_s: Mapped[int] = mapped_column(default=now_s, sort_order=90)
    updated_s: Mapped[int] = mapped_column(default=now_s, onupdate=now_s, sort_order=91)


_Row = TypeVar("_Row", bound=Base)


def of_project(session: Session, table: type[_Row], row_id: str, project_uuid: str) -> _Row | None:
    """The record with that id; None when there is none, or it belongs to another project."""
    row = session.get(table, row_id) if is_id(row_id) else None
    return row if row is not None and getattr(row, "project_uuid", None) == project_uuid else None
