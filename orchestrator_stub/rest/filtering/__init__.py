# SPDX-License-Identifier: Apache-2.0
"""The `filter` and `orderBy` of lists: read (pure), and made conditions of SQL.

The language is a part of AIP-160 (filter) and AIP-132 (order). `OR` binds tighter than `AND`, as
AIP-160 has it: `a=1 AND b=2 OR c=3` is `a=1 AND (b=2 OR c=3)`.

| form | true when |
|---|---|
| `field=value`, `field!=value` | it is, is not, the value; `*` in a text value stands for any run |
| `field<value` `<=` `>` `>=` | it is there and in that order; text by code points |
| `field:value` | a text has the value in it; anything else is the value |
| `field:*`, `has(field)` | it is there: no reference to nothing, no empty text, no 0 |
| `NOT`, `AND`, `OR`, `( )` | as usual; nothing is ever unknown, so `NOT` is the exact opposite |

A value is a word (`HOST_STATE_ONBOARDED`, `12`, `edge-*`) or a string in quotes, in which a
backslash takes the meaning from the character after it. A field that is not there equals nothing.
"""

from orchestrator_stub.rest.filtering.expressions import QueryError
from orchestrator_stub.rest.filtering.fields import (
    MOMENT,
    NUMBER,
    REFERENCE,
    TEXT,
    Field,
    Fields,
    Words,
)
from orchestrator_stub.rest.filtering.parser import MAX_CHARS, parse
from orchestrator_stub.rest.filtering.query import narrowed

__all__ = [
    "MAX_CHARS",
    "MOMENT",
    "NUMBER",
    "REFERENCE",
    "TEXT",
    "Field",
    "Fields",
    "QueryError",
    "Words",
    "narrowed",
    "parse",
]
