# SPDX-License-Identifier: Apache-2.0
"""The core touches no machine: it is imported and read with clock, files and network taken away."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import puad.core

CORE = Path(puad.core.__file__).parent
MODULES = sorted(CORE.rglob("*.py"))
IDS = [str(path.relative_to(CORE)) for path in MODULES]
FORBIDDEN = {
    *("asyncio", "fcntl", "gi", "glob", "http", "io", "locale", "logging", "multiprocessing"),
    *("os", "pathlib", "platform", "pydbus", "random", "requests", "secrets", "select", "shutil"),
    *("signal", "socket", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib"),
    "uuid",
}
# Calls that ask the machine without an import of their own.
FORBIDDEN_CALLS = {"open", "input", "print", "now", "utcnow", "today", "breakpoint"}

IMPORT_ALL = """
import builtins, importlib, io, pkgutil, random, socket, sys, time

import puad.core

names = [m.name for m in pkgutil.walk_packages(puad.core.__path__, "puad.core.")]

def gone(*_args, **_kwargs):
    raise AssertionError("the core asked the machine")

builtins.open = io.open = socket.socket = socket.create_connection = socket.getaddrinfo = gone
for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "sleep"):
    setattr(time, name, gone)
for name in ("random", "randrange", "choice", "getrandbits"):
    setattr(random, name, gone)

def watch(event, args):
    if event.startswith(("socket.", "subprocess.", "os.", "shutil.", "tempfile.")):
        if event != "os.listdir":  # the import system looks for modules
            raise AssertionError(event)
    if event == "open" and not str(args[0]).endswith((".py", ".pyc")):
        raise AssertionError(f"opened {args[0]}")

sys.addaudithook(watch)
for name in names:
    importlib.import_module(name)
sys.stdout.write("\\n".join(names))
"""


def test_core_imports_without_clock_files_and_network() -> None:
    done = subprocess.run(
        [sys.executable, "-B", "-c", IMPORT_ALL],
        cwd=CORE.parent.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names = set(done.stdout.split())
    assert {"puad.core.wire", "puad.core.machine", "puad.core.windows"} <= names
    assert len(names) == len(MODULES) - 1


def imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module).split(".")[0])
    return names


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_core_module_imports_nothing_of_the_machine(path: Path) -> None:
    assert not imported(ast.parse(path.read_text())) & FORBIDDEN


def walked(tree: ast.Module) -> list[ast.AST]:
    """Every node but those under `if __name__ == "__main__"`: a program may print."""
    program = ast.dump(ast.parse('__name__ == "__main__"', mode="eval").body)
    kept = [n for n in tree.body if not (isinstance(n, ast.If) and ast.dump(n.test) == program)]
    return [node for statement in kept for node in ast.walk(statement)]


def called(tree: ast.Module) -> set[str]:
    functions = [node.func for node in walked(tree) if isinstance(node, ast.Call)]
    return {
        function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        for function in functions
    }


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_core_module_asks_for_no_time_and_opens_nothing(path: Path) -> None:
    assert not called(ast.parse(path.read_text())) & FORBIDDEN_CALLS


def test_purity_check_finds_what_it_is_for() -> None:
    tree = ast.parse("def f():\n    from os.path import join\n    import time as t\n")
    assert imported(tree) & FORBIDDEN == {"os", "time"}
    tree = ast.parse("def f():\n    return datetime.now(UTC), open(x)\n")
    assert called(tree) & FORBIDDEN_CALLS == {"now", "open"}
