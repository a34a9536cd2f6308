# SPDX-License-Identifier: Apache-2.0
"""Who may import whom. An arrow that is not drawn here is a mistake in the design, or a change of it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = {  # folder -> what of ours its package may import
    "hook": set(),
    "decode": set(),
    "proto": set(),
    "bpf": {"decode"},
    "daemon": {"bpf", "decode", "proto"},
    "cli": {"decode", "proto"},
}
# Within a package: room -> the rooms that it may use. What stands beside the rooms, all may use: BESIDE.
ROOMS = {
    "daemon": {
        "system": set(),
        "naming": {"system"},
        "privacy": {"naming"},
        "recording": {"naming", "privacy", "system"},
        "archive": {"naming", "privacy", "recording", "system"},
        "settings": {"archive", "privacy"},
        "registering": {"naming", "privacy", "recording", "settings", "system"},
        "nri": {"naming", "recording", "registering", "system"},
        "succession": {"archive", "recording", "system"},
        "service": {"archive", "privacy", "recording", "registering", "settings", "succession", "system"},
    },
    "cli": {
        "display": set(),
        "sources": {"display"},
        "options": {"display", "sources"},
        "engines": set(),
        "checks": {"display", "engines", "sources"},
        "commands": {"checks", "display", "engines", "options", "sources"},
    },
}
BESIDE = {"daemon": {"errors", "units"}, "cli": {"errors", "findings"}}
ENTRIES = {"daemon": {"main"}, "cli": {"main", "__main__"}}  # these use all, and nobody uses them
# decode/ is given bytes and times: it asks nothing of the system that it runs on.
IMPURE = {
    *("os", "io", "sys", "socket", "select", "selectors", "time", "datetime", "logging", "subprocess", "threading"),
    *("pathlib", "shutil", "tempfile", "glob", "mmap", "ctypes", "fcntl", "signal", "random", "secrets", "platform"),
    *("asyncio", "multiprocessing", "warnings", "locale", "getpass", "pwd", "grp"),
}


def _package(folder: str) -> Path:
    return ROOT / folder / f"traceloop_{folder}"


def _files(folder: str) -> list[Path]:
    package = _package(folder)
    scripts = [
        path for path in package.iterdir() if path.is_file() and path.read_bytes().startswith(b"#!/usr/bin/python3")
    ]
    return sorted({*package.rglob("*.py"), *scripts})


def _imports(tree: ast.AST, path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The modules that a file imports anywhere, also within functions, and what it takes from each."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            yield node.module or "", tuple(alias.name for alias in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)):
            called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            assert called not in {"__import__", "import_module"}, f"{path}: imports a module by its name"


def _modules_of(path: Path) -> set[str]:
    return {module for module, _ in _imports(ast.parse(path.read_bytes(), str(path)), path)}


def _top(module: str) -> str:
    return module.partition(".")[0]


def _graph(folder: str) -> dict[str, set[str]]:
    """Module -> the modules of its own package that it imports; names without the package's."""
    package, prefix = _package(folder), f"traceloop_{folder}."
    names = {path: ".".join(path.relative_to(package).with_suffix("").parts) for path in package.rglob("*.py")}
    names = {path: name.removesuffix(".__init__") for path, name in names.items()}
    there = set(names.values())
    graph: dict[str, set[str]] = {name: set() for name in there}
    for path, name in names.items():
        for module, taken in _imports(ast.parse(path.read_bytes(), str(path)), path):
            if f"{module}.".startswith(prefix):
                inside = f"{module}.".removeprefix(prefix)
                found = {inside + word for word in taken} & there
                graph[name] |= found or {inside.removesuffix(".")} & there
    return graph


def _circle(graph: Mapping[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


@pytest.mark.parametrize("folder", FOLDERS)
def test_arrows_between_packages(folder: str) -> None:
    files = _files(folder)
    assert files
    own = f"traceloop_{folder}"
    allowed = {own, *(f"traceloop_{other}" for other in FOLDERS[folder])}
    for path in files:
        ours = {_top(module) for module in _modules_of(path) if _top(module).startswith("traceloop")}
        assert ours <= allowed, f"{path} may not import {ours - allowed}"


def test_every_package_is_in_the_table() -> None:
    assert {path.parent.name for path in ROOT.glob("*/traceloop_*/") if path.is_dir()} == set(FOLDERS)


@pytest.mark.parametrize("folder", ROOMS)
def test_every_module_is_in_a_room_of_the_table(folder: str) -> None:
    package = _package(folder)
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    assert rooms == set(ROOMS[folder])
    beside = {path.stem for path in package.glob("*.py")} - {"__init__"}
    assert beside == BESIDE[folder] | ENTRIES[folder]


@pytest.mark.parametrize(("folder", "room"), [(folder, room) for folder, rooms in ROOMS.items() for room in rooms])
def test_arrows_between_rooms(folder: str, room: str) -> None:
    used: dict[str, str] = {}
    for module, others in _graph(folder).items():
        if _top(module) == room:
            used |= {_top(other): f"{module} imports {other}" for other in others}
    used.pop(room, None)
    for name in BESIDE[folder]:
        used.pop(name, None)
    wrong = [how for other, how in used.items() if other not in ROOMS[folder][room]]
    assert not wrong
    assert not ROOMS[folder][room] - set(used), "an arrow that nobody needs"


@pytest.mark.parametrize("folder", ROOMS)
def test_what_stands_beside_the_rooms_uses_none(folder: str) -> None:
    graph = _graph(folder)
    for module in BESIDE[folder]:
        assert graph[module] <= BESIDE[folder]
    assert not any(ENTRIES[folder] & others for module, others in graph.items() if module not in ENTRIES[folder])


@pytest.mark.parametrize("folder", ROOMS)
def test_rooms_go_in_no_circle(folder: str) -> None:
    assert _circle(ROOMS[folder]) == []


@pytest.mark.parametrize("folder", ["bpf", "daemon", "cli"])
def test_modules_go_in_no_circle(folder: str) -> None:
    graph = _graph(folder)
    assert len(graph) > 10
    assert any(graph.values())
    assert _circle(graph) == []


def test_a_circle_is_found() -> None:
    assert set(_circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})) == {"a", "b", "c"}


@pytest.mark.parametrize("path", _files("decode"), ids=lambda path: str(path.relative_to(ROOT)))
def test_decode_is_pure(path: Path) -> None:
    others = {_top(module) for module in _modules_of(path)} - {"traceloop_decode"}
    assert others <= sys.stdlib_module_names, "the standard library alone"
    assert not others & IMPURE
    calls = {node.func.id for node in ast.walk(ast.parse(path.read_bytes())) if _is_named_call(node)}
    assert not calls & {"open", "print", "input"}


def _is_named_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


@pytest.mark.parametrize("path", _files("hook"), ids=lambda path: str(path.relative_to(ROOT)))
def test_hook_stands_alone(path: Path) -> None:
    assert {_top(module) for module in _modules_of(path)} <= sys.stdlib_module_names


def test_bcc_has_one_door() -> None:
    importers = [path for folder in FOLDERS for path in _files(folder) if "bcc" in map(_top, _modules_of(path))]
    assert importers == [ROOT / "bpf/traceloop_bpf/loader.py"]
