# SPDX-License-Identifier: Apache-2.0
"""Founding: a new repository, with its keys, its first root, and nothing published in it yet.

The timestamp is written last. A repository exists when it has one; whatever an `init` that was cut
off has left is begun anew, with new keys, since nobody can have built the old root into an image.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tuf.api.metadata import Root

from orchestrator_stub.release.chain import (
    Authority,
    expiries,
    next_versions,
    sign_chain,
)
from orchestrator_stub.release.content import Content
from orchestrator_stub.release.errors import RepositoryError
from orchestrator_stub.release.layout import CATALOGUE_PATH
from orchestrator_stub.release.publication import Publisher
from orchestrator_stub.release.roles import CHAIN, Role, RolePlan
from orchestrator_stub.release.signing import expiry, sign
from orchestrator_stub.release.state import State


def found_repository(publisher: Publisher, plans: Mapping[Role, RolePlan]) -> Path:
    """Make keys and a repository; the answer is the first root, which is built into images.

    Args:
        publisher: Where, and with which keys folder.
        plans: How each role is set up.

    Raises:
        RepositoryError: When there is a repository already, or the keys are another one's.
        ReleaseError: When keys or metadata cannot be written.
    """
    layout, disk = publisher.layout, publisher.disk
    if layout.timestamp.exists():
        raise RepositoryError(
            "there is a repository already",
            on=str(layout.folder),
            hint="Name another folder, or use the repository as it is.",
        )
    if publisher.keys.anchor.exists() and not layout.state.exists():
        raise RepositoryError(
            "the keys folder belongs to another repository, which new keys would shut out",
            on=str(publisher.keys.anchor),
            hint="Name another folder with --keys; if that repository is gone, move its keys away.",
        )
    root = _first_root(publisher, plans)
    root_data = sign(root, publisher.keys, signers=(root,), judges=(root,))
    state = State(dict.fromkeys(CHAIN, 0), {role: plan.validity for role, plan in plans.items()})
    state = next_versions(state, None, CHAIN)
    content = Content()
    chain = sign_chain(
        Authority(publisher.keys, (root,), (root,)),
        state,
        CHAIN,
        targets=content.targets,
        published=None,
        expires=expiries(publisher.now, state.validity),
    )
    state.save(layout, disk)
    disk.write(publisher.keys.anchor, root_data, mode=0o600)
    disk.write(layout.root(1), root_data)
    catalogue = layout.target(CATALOGUE_PATH, content.catalogue_file.sha256)
    disk.write(catalogue, content.catalogue)
    chain.write(layout, disk)
    return layout.root(1)


def _first_root(publisher: Publisher, plans: Mapping[Role, RolePlan]) -> Root:
    root = Root(version=1, expires=expiry(publisher.now, plans[Role.ROOT].validity))
    for role, plan in plans.items():
        for _ in range(plan.key_count):
            root.add_key(publisher.keys.make(role).public_key, role)
        root.roles[role].threshold = plan.threshold
    return root
