# SPDX-License-Identifier: Apache-2.0
"""Who may change something: real callers of real users, asked of a real polkitd.

polkitd reads its rules and actions from fixed folders, so it runs in a mount namespace of its own
in which these folders are the test's. The agent runs as a user without rights, as on a node.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from puad.system_bus import connected
from tests.integration.open_bus import open_bus

pytestmark = pytest.mark.dbus

REPOSITORY = Path(__file__).resolve().parents[3]
_POLICY = REPOSITORY / "systemd/org.puad.agent1.policy"
_POLKITD = "/usr/lib/polkit-1/polkitd"
_AGENT_USER = "daemon"  # stands for puad, which this host does not have
_NAMESPACE = (
    'mount --bind "$0/actions" /usr/share/polkit-1/actions && '
    'mount --bind "$0/rules" /etc/polkit-1/rules.d && exec "$@"'
)
_RULES = """
polkit.addRule(function(action, subject) {
    if (action.id == "org.puad.agent1.cancel" && subject.user == "nobody")
        return polkit.Result.YES;
    if (action.id == "org.puad.agent1.retry" && subject.user == "nobody")
        return polkit.Result.NO;
});
"""
_CALL = ["gdbus", "call", "--system", "-d", "org.puad.Agent1", "-o", "/org/puad/Agent1"]


def _drop(user: str) -> list[str]:
    uid = pwd.getpwnam(user).pw_uid
    return ["/usr/bin/setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]


def _wait_for(name: str) -> None:
    until = time.monotonic() + 60
    with connected() as bus:
        while not bus.dbus.NameHasOwner(name):
            assert time.monotonic() < until, f"{name} does not come up"
            time.sleep(0.05)


class Node:
    """The agent on a bus of its own, with polkit or without."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.told = folder / "told"
        self._stack = stack

    def start(self, argv: list[str | Path]) -> None:
        with self.told.open("ab") as out:
            environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}
            process = subprocess.Popen(argv, stdout=out, env=environment, cwd="/")
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)

    def start_polkit(self) -> None:
        for name in ("actions", "rules"):
            (self.folder / name).mkdir()
        policy = _POLICY.read_text().replace("unix-user:puad", f"unix-user:{_AGENT_USER}")
        (self.folder / "actions" / _POLICY.name).write_text(policy)
        (self.folder / "rules/10-test.rules").write_text(_RULES)
        unshare = [shutil.which("unshare") or "unshare", "--mount", "/bin/sh", "-c", _NAMESPACE]
        self.start([*unshare, self.folder, _POLKITD, "--no-debug"])
        _wait_for("org.freedesktop.PolicyKit1")

    def call(self, method: str, user: str = "nobody") -> str:
        done = subprocess.run(
            [*_drop(user), *_CALL, "-m", f"org.puad.Agent1.{method}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.stdout + done.stderr

    def reached(self) -> list[str]:
        return [line for line in self.told.read_text().splitlines() if line.isalpha()]


@pytest.fixture
def node(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("authorisation")
    for parent in (folder, folder.parent, folder.parent.parent):
        parent.chmod(0o755)
    name = f"puad-authorisation-{os.getpid()}"
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:abstract={name}")
    config = folder / "bus.conf"
    config.write_text(open_bus(f"unix:abstract={name}"))
    command = ["/usr/bin/dbus-daemon", f"--config-file={config}", "--nofork", "--print-address"]
    with ExitStack() as stack:
        daemon = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
        stack.callback(daemon.kill)
        assert daemon.stdout is not None
        assert daemon.stdout.readline()
        made = Node(folder, stack)
        program = ["-m", "tests.integration.service.agent_process"]
        made.start([*_drop(_AGENT_USER), sys.executable, *program])
        _wait_for("org.puad.Agent1")
        yield made


def test_root_may_without_polkit_and_nobody_else(node: Node) -> None:
    assert "true" in node.call("Cancel", "root")
    for method in ("Check", "Run", "Cancel", "Retry", "Rollback"):
        refused = node.call(method)
        assert "org.puad.Agent1.Error.NotAllowed" in refused
        assert f"Only root may call {method}: there is no polkit to ask" in refused
    assert '"api_version"' in node.call("Status")
    assert node.reached() == ["cancel"]


def test_polkit_decides_about_everybody_but_root(node: Node) -> None:
    node.start_polkit()
    assert "true" in node.call("Cancel")
    retry, run = node.call("Retry"), node.call("Run")
    assert "may not call Retry: polkit does not allow it (org.puad.agent1.retry)" in retry
    assert "may not call Run: polkit asks for authentication first (org.puad.agent1.run)" in run
    assert "run-1" in node.call("Run", "root")
    assert '"api_version"' in node.call("History")
    assert node.reached() == ["cancel", "run"]


def test_policy_has_an_action_for_each_method_that_changes_something(
    node: Node, tmp_path: Path
) -> None:
    assert tmp_path
    node.start_polkit()
    for method in ("Check", "Run", "Install", "Cancel", "Retry", "Rollback"):
        action = f"org.puad.agent1.{method.lower()}"
        argv = ["pkaction", "--verbose", "--action-id", action]
        shown = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        assert shown.returncode == 0, shown.stderr
        for kind in ("any", "inactive", "active"):
            assert any(
                line.split() == ["implicit", f"{kind}:", "auth_admin"]
                for line in shown.stdout.splitlines()
            ), shown.stdout
