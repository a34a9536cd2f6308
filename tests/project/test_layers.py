# SPDX-License-Identifier: Apache-2.0
"""The imports that are allowed. One that is not listed here is a mistake in the design, or a change of it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = {  # folder -> folders of ours that its package may import
    "hook": set(),
    "decode": set(),
    "proto": {"decode"},
    "bpf": {"decode"},
    "daemon": {"bpf", "decode", "proto"},
    "cli": {"decode", "proto"},
    "ship": {"decode"},
    "explain": {"decode"},
}
# Package -> its rooms (the folders in it), each with the rooms that it may use. "" stands for the modules beside the
# folders, except "main", where the package's program begins.
ROOMS = {
    "bpf": {"": set()},
    "decode": {
        "tables": set(),
        "": {"tables"},
        "arguments": {"", "tables"},
        "values": {""},
        "printers": {"", "arguments", "values"},
        "descriptors": {""},
        "selection": {"", "arguments", "descriptors", "tables"},
        "text": {"", "printers", "values"},
        "causes": {"", "arguments", "descriptors", "printers", "text", "values"},
        "views": {"", "descriptors", "printers", "selection", "text", "values"},
        "timeline": {"", "tables", "text", "values"},
        "comparing": {"", "descriptors", "printers", "text", "timeline", "values"},
    },
    "daemon": {
        "": set(),
        "system": {""},
        "naming": {"", "system"},
        "privacy": {"naming"},
        "recording": {"", "naming", "privacy", "system"},
        "archive": {"", "naming", "privacy", "recording", "system"},
        "settings": {"", "archive", "privacy"},
        "registering": {"", "naming", "privacy", "recording", "settings", "system"},
        "nri": {"", "naming", "recording", "registering", "system"},
        "succession": {"", "archive", "recording", "system"},
        "service": {"", "archive", "recording", "registering", "system"},
        "main": {
            *("", "archive", "nri", "privacy", "recording", "registering", "service", "settings", "succession"),
            "system",
        },
    },
    "cli": {
        "": set(),
        "display": {""},
        "remote": {""},
        "sources": {"", "remote"},
        "options": {"", "display", "sources"},
        "engines": {""},
        "checks": {"", "display", "engines", "sources"},
        "exports": {"", "sources"},
        "commands": {"", "checks", "display", "engines", "exports", "options", "sources"},
        "main": {"", "commands", "options", "sources"},
    },
}
_MAIN = {"main", "__main__", "plugin"}  # where programs begin
# Package, another package -> the modules of the other one that it may import
DOORS = {
    ("bpf", "decode"): {
        "areas",
        "arguments.capture",
        "capabilities",
        "later_calls",
        "layout",
        "mountinfo",
        "requests",
        "ring_headers",
        "snapshot",
        "syscalls",
        "totals",
    },
    ("proto", "decode"): {"trace_facts"},
    ("ship", "decode"): {"archive_file", "file_names", "model"},
    ("explain", "decode"): {
        "archive_file",
        "causes.explain",
        "causes.verdict",
        "model",
        "reason",
        "snapshot",
    },
}
# decode/ is given bytes and times; it gets nothing from the system that it runs on.
IMPURE = {
    *("os", "io", "sys", "socket", "select", "selectors", "time", "datetime", "logging", "subprocess", "threading"),
    *("pathlib", "shutil", "tempfile", "glob", "mmap", "ctypes", "fcntl", "signal", "random", "secrets", "platform"),
    *("asyncio", "multiprocessing", "warnings", "locale", "getpass", "pwd", "grp"),
}


def _files(folder: str) -> list[Path]:
    package = ROOT / folder / f"traceloop_{folder}"
    scripts = [
        path for path in package.iterdir() if path.is_file() and path.read_bytes().startswith(b"#!/usr/bin/python3")
    ]
    return sorted({*package.rglob("*.py"), *scripts})


def _imports(path: Path) -> Iterator[str]:
    """Yields the modules that a file imports anywhere, also within functions; relative ones begin with a dot."""
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")
        elif isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)):
            called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            assert called not in {"__import__", "import_module"}, f"{path}: imports a module by its name"


def _top(module: str) -> str:
    return module.partition(".")[0]


@pytest.mark.parametrize("folder", FOLDERS)
def test_arrows_between_packages(folder: str) -> None:
    files = _files(folder)
    assert files
    own = f"traceloop_{folder}"
    allowed = {own, *(f"traceloop_{other}" for other in FOLDERS[folder])}
    for path in files:
        ours = {_top(module) for module in _imports(path) if _top(module).startswith("traceloop")}
        assert ours <= allowed, f"{path} may not import {ours - allowed}"


def test_every_package_is_in_the_table() -> None:
    assert {path.parent.name for path in ROOT.glob("*/traceloop_*/") if path.is_dir()} == set(FOLDERS)


def _modules(folder: str) -> dict[str, Path]:
    """Returns a package's modules by dotted name below it; a folder's ``__init__`` by the folder's, the package's by
    "".
    """
    package = ROOT / folder / f"traceloop_{folder}"
    names = {path: ".".join(path.relative_to(package).with_suffix("").parts) for path in package.rglob("*.py")}
    return {name.removesuffix("__init__").removesuffix("."): path for path, name in names.items()}


def _imports_of(path: Path, package: str) -> set[str]:
    """Returns the modules of a package that a file imports, by their dotted names below the package."""
    known, found = _modules(package), set()
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            named = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in named:
            top, _, rest = name.partition(".")
            if top == f"traceloop_{package}":
                found.add(rest if rest in known else rest.rpartition(".")[0])
    return found


def _room(module: str, package: str) -> str:
    first = module.partition(".")[0]
    if module in _MAIN:
        return "main"
    return first if (ROOT / package / f"traceloop_{package}" / first).is_dir() else ""


@pytest.mark.parametrize("package", ROOMS)
def test_arrows_between_rooms(package: str) -> None:
    rooms, modules = ROOMS[package], _modules(package)
    assert {_room(module, package) for module in modules} == rooms.keys()
    for module, path in modules.items():
        room = _room(module, package)
        used = {_room(other, package) for other in _imports_of(path, package)}
        assert used <= {room, *rooms[room]}, f"{path} may not use {used - {room, *rooms[room]}}"


@pytest.mark.parametrize("package", ROOMS)
def test_no_arrow_between_rooms_stays_drawn_when_nobody_takes_it(package: str) -> None:
    drawn = {(room, other) for room, others in ROOMS[package].items() for other in others}
    taken = {
        (_room(module, package), _room(other, package))
        for module, path in _modules(package).items()
        for other in _imports_of(path, package)
    }
    assert drawn <= taken


@pytest.mark.parametrize(("package", "other"), DOORS)
def test_doors_into_other_packages(package: str, other: str) -> None:
    assert {module for path in _files(package) for module in _imports_of(path, other)} == DOORS[package, other]


@pytest.mark.parametrize("package", ROOMS)
def test_rooms_form_no_circle(package: str) -> None:
    TopologicalSorter(ROOMS[package]).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("package", FOLDERS)
def test_modules_form_no_circle(package: str) -> None:
    TopologicalSorter({name: _imports_of(path, package) for name, path in _modules(package).items()}).prepare()


@pytest.mark.parametrize("path", _files("decode"), ids=lambda path: str(path.relative_to(ROOT)))
def test_decode_is_pure(path: Path) -> None:
    others = {_top(module) for module in _imports(path)} - {"traceloop_decode"}
    assert others <= sys.stdlib_module_names, "the standard library alone"
    assert not others & IMPURE
    calls = {node.func.id for node in ast.walk(ast.parse(path.read_bytes())) if _is_named_call(node)}
    assert not calls & {"open", "print", "input"}


def _is_named_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


@pytest.mark.parametrize("path", _files("hook"), ids=lambda path: str(path.relative_to(ROOT)))
def test_hook_stands_alone(path: Path) -> None:
    assert {_top(module) for module in _imports(path)} <= sys.stdlib_module_names


def test_bcc_has_one_door() -> None:
    importers = [path for folder in FOLDERS for path in _files(folder) if "bcc" in map(_top, _imports(path))]
    assert importers == [ROOT / "bpf/traceloop_bpf/compiler.py"]
