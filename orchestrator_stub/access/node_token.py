# SPDX-License-Identifier: Apache-2.0
"""Node tokens: the bearer JWT that says which host calls, and for which project.

A token is signed with the orchestrator's secret key (HS256). Its subject is the host's GUID, and
`realm_access.roles` holds `<project uuid>_en-agent-rw`, the role that the original platform gives
its agents (protocol.md §1); the project is taken from the role. The node reads the token from a
file at each call, so that a renewed one counts without a restart.

A node presents the same token for months. What a token says once its signature was right is kept
by the token's SHA-256; whether its time is now is asked each time.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from typing import Any, Final

import jwt

from orchestrator_stub.access.bearer import token_of
from orchestrator_stub.errors import Code, OrchestratorError

EXPIRY_WARNING_S: Final = 14 * 86_400
"""How long ahead an operator is warned; the node's own `puadctl status` warns as early."""

_ALGORITHM: Final = "HS256"
_ISSUER: Final = "puad-orchestrator"
_MAX_TOKEN_CHARS: Final = 8192
_LEEWAY_S: Final = 60
_MAX_KNOWN: Final = 20_000
_ROLE: Final = re.compile(
    r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})_en-agent-rw"
)


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """Who calls.

    Attributes:
        subject: The host's GUID, in lower case.
        project_uuid: The project that the role names.
        issued_s: When the token was made, Unix time.
        expires_s: When it ends, Unix time; 0 before it is issued.
    """

    subject: str
    project_uuid: str
    issued_s: int
    expires_s: int = 0


_KNOWN: Final[dict[bytes, NodeIdentity]] = {}  # the polls' event loop alone reads and fills it


def issue(key: str, identity: NodeIdentity, lifetime_s: int) -> str:
    """A token for one host."""
    claims = {
        "iss": _ISSUER,
        "sub": identity.subject,
        "iat": identity.issued_s,
        "exp": identity.issued_s + lifetime_s,
        "realm_access": {"roles": [f"{identity.project_uuid}_en-agent-rw"]},
    }
    return jwt.encode(claims, key, algorithm=_ALGORITHM)


def verify(key: str, authorization: str | None) -> NodeIdentity:
    """Who calls, by the `Authorization` header.

    Raises:
        OrchestratorError: `UNAUTHENTICATED` without a valid token, `PERMISSION_DENIED` when the
            token lacks the role of a node.
    """
    token = token_of(authorization)
    if not token:
        raise OrchestratorError(Code.UNAUTHENTICATED, "a bearer token is needed")
    if len(token) > _MAX_TOKEN_CHARS:
        raise OrchestratorError(Code.UNAUTHENTICATED, "the token is too long")
    # the key is part of it: another key makes another identity, or none
    fingerprint = hashlib.sha256(f"{key} {token}".encode("utf-8", "surrogatepass")).digest()
    known = _KNOWN.get(fingerprint)
    if known is not None and known.expires_s + _LEEWAY_S > time.time():
        return known
    identity = _identity(key, token)
    while len(_KNOWN) >= _MAX_KNOWN:
        del _KNOWN[next(iter(_KNOWN))]
    _KNOWN[fingerprint] = identity
    return identity


def _identity(key: str, token: str) -> NodeIdentity:
    claims = _claims(key, token)
    projects = _projects(claims)
    if not projects:
        raise OrchestratorError(Code.PERMISSION_DENIED, "the token has not the role of a node")
    if len(projects) > 1:
        raise OrchestratorError(Code.UNAUTHENTICATED, "the token names more than one project")
    return NodeIdentity(
        subject=str(claims["sub"]).lower(),
        project_uuid=projects.pop(),
        issued_s=int(claims["iat"]),
        expires_s=int(claims["exp"]),
    )


def _claims(key: str, token: str) -> dict[str, Any]:
    try:
        return jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            issuer=_ISSUER,
            leeway=_LEEWAY_S,
            options={"require": ["exp", "iat", "iss", "sub"]},
        )
    except jwt.ExpiredSignatureError as error:
        raise OrchestratorError(Code.UNAUTHENTICATED, "the token has expired") from error
    except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError) as error:
        raise OrchestratorError(Code.UNAUTHENTICATED, "the token is not valid") from error


def _projects(claims: dict[str, Any]) -> set[str]:
    access = claims.get("realm_access")
    roles = access.get("roles") if isinstance(access, dict) else None
    if not isinstance(roles, list):
        return set()
    matches = (_ROLE.fullmatch(role) for role in roles if isinstance(role, str))
    return {match[1] for match in matches if match}
