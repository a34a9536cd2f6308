# SPDX-License-Identifier: Apache-2.0
"""Hooks of podman and CRI-O: JSON files in a directory (oci-hooks(5), schema 1.0.0).

Rules of their common reader, by the manual page and by experiment: an invalid file makes every container of the engine
fail; a file whose program does not exist is skipped. The program is a shell (guard.py), since a program that exists but
cannot be run also makes every container fail.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from traceloop_cli.engines.guard import hook_of
from traceloop_cli.engines.host import Host
from traceloop_cli.engines.model import Change, Plan
from traceloop_cli.errors import Failed
from traceloop_cli.findings import Finding, Level

DIRECTORY: Final = Path("/usr/share/containers/oci/hooks.d")
MASKS: Final = Path("/etc/containers/oci")
STAGES: Final = {"prestart": "start", "poststop": "stop"}  # the runtime's stage -> the hook's argument
FILES: Final = {f"traceloop-{stage}.json": stage for stage in STAGES}
_KNOWN_STAGES: Final = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


class HooksDirEngine(ABC):
    """An engine that is wired by these two files alone."""

    name: ClassVar[str]
    restart: ClassVar[str] = ""
    drop_in: ClassVar[Path]
    """Configuration file that the engine is expected to read last: see masking.py."""
    drop_in_restart: ClassVar[str] = ""
    table: ClassVar[str]
    """TOML table of `hooks_dir` in the engine's configuration files."""

    @abstractmethod
    def version(self, host: Host) -> str | None:
        """Returns the version that the engine reports, None if it is not installed."""

    @abstractmethod
    def settings(self, host: Host) -> Iterator[Any]:
        """Yields the values of `hooks_dir` in the engine's files, in the order in which it reads them."""

    @property
    def mask_directory(self) -> Path:
        """Directory of the files that mask ours; outside our directories, since the engines of all users read it."""
        return MASKS / f"traceloop-off-{self.name}.d"

    def directories(self, host: Host) -> list[Path]:
        """Returns the directories that the engine reads, highest priority last, without the mask's. Raises Failed."""
        return [path for path in directories_of(self.settings(host)) if path != self.mask_directory]

    def directory(self, host: Host) -> Path:
        """Returns the directory for our files: the usual one if the engine reads it, else the highest priority one."""
        found = self.directories(host)
        return DIRECTORY if DIRECTORY in found else found[-1]

    def is_masked(self, host: Host) -> bool:
        """Returns whether `engine disable` masked the files and the mask is still effective."""
        last = directories_of(self.settings(host))[-1]
        return last == self.mask_directory and all(host.read(last / name) is not None for name in FILES)

    def enable(self, host: Host, *, default: bool) -> Plan:  # noqa: ARG002 - all containers in any case
        """Plans both files."""
        return Plan(changes(host, self.directory(host)), self.restart)

    def strip(self, host: Host, path: Path, content: bytes) -> bytes | None:  # noqa: ARG002
        """Returns None, since the files are entirely ours."""
        return None

    def restart_after(self, plan: Plan) -> str:  # noqa: ARG002
        """Returns the same command as after `enable`."""
        return self.restart

    def leftovers(self, host: Host) -> list[Path]:  # noqa: ARG002
        """Returns none: files that `enable` did not make are a package's, which stay and are masked."""
        return []

    def findings(self, host: Host) -> Iterator[Finding]:
        """Yields findings about the files in the engine's directory, or about the mask."""
        if self.is_masked(host):
            what = f"{self.drop_in} masks the hook, written by `traceloopctl engine disable {self.name}`"
            enable = f"traceloopctl engine enable {self.name}"
            yield Finding(self.name, Level.WARNING, what, "containers are not recorded", enable)
        else:
            yield from findings(host, self.name, self.directory(host))


def text(host: Host, stage: str, *, always: bool = True) -> bytes:
    """Returns a file's content. stage: a key of STAGES. always: run the hook for every container, else for none."""
    value = {
        "version": "1.0.0",
        "hook": host.hook_entry(STAGES[stage]),
        "when": {"always": always},
        "stages": [stage],
    }
    return (json.dumps(value, indent=2) + "\n").encode()


def changes(host: Host, directory: Path) -> list[Change]:
    """Returns the changes that write both files into a directory."""
    paths = {directory / name: stage for name, stage in FILES.items()}
    return [
        Change(path, host.read(path), _keep_if_same(host.read(path), text(host, stage)))
        for path, stage in paths.items()
    ]


def _keep_if_same(there: bytes | None, wanted: bytes) -> bytes:
    # A package's file with the same meaning is kept, even if its white space differs.
    if there is not None and problem(there) is None and json.loads(there) == json.loads(wanted):
        return there
    return wanted


def directories_of(settings: Iterator[Any]) -> list[Path]:
    """Returns the directories in the last of an engine's `hooks_dir` settings, or the usual one. Raises Failed.

    settings: in the order in which the engine reads them.
    """
    found: list[Path] = [DIRECTORY]
    for value in settings:
        if not isinstance(value, list) or not all(isinstance(one, str) and one.startswith("/") for one in value):
            raise Failed(f"hooks_dir = {value!r} is not a list of directories")
        if not value:
            raise Failed("hooks_dir is empty, so this engine runs no hooks: name a directory in it")
        found = [Path(one) for one in value]
    return found


def findings(host: Host, engine: str, directory: Path) -> Iterator[Finding]:
    """Yields findings about our two files, and about all files there that make containers fail."""
    enable = f"traceloopctl engine enable {engine}"
    for path in host.matching(f"{directory}/*.json"):
        trouble = problem(host.read(path) or b"")
        if trouble is not None:
            why = f"{engine} starts no container while this file exists"
            yield Finding(engine, Level.ERROR, f"{path} is not a hook of schema 1.0.0: {trouble}", why, f"rm {path}")
    for name, stage in FILES.items():
        data = host.read(directory / name)
        if data is None:
            yield Finding(
                engine, Level.WARNING, f"there is no {directory / name}", "containers are not recorded", enable
            )
            continue
        if problem(data) is not None:
            continue
        value = json.loads(data)
        hook, words = Path(hook_of(value["hook"])), value["hook"].get("args") or []
        if not host.path(hook).is_file():
            why = "containers start, but are not recorded"
            yield Finding(engine, Level.WARNING, f"{directory / name} names {hook}, which does not exist", why, enable)
        elif value["stages"] != [stage] or STAGES[stage] not in words:
            why = "recordings would not begin or end with the container"
            yield Finding(engine, Level.WARNING, f"{directory / name} runs {words} at {value['stages']}", why, enable)
        else:
            yield Finding(engine, Level.OK, f"{directory / name} runs {hook} at {stage}")


def problem(data: bytes) -> str | None:
    """Returns how a file violates the schema, None if it is valid."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    if not isinstance(value, dict):
        return "not a JSON object"
    if value.get("version") != "1.0.0":
        return f"version {value.get('version')!r}"
    return _hook_problem(value.get("hook")) or _when_problem(value.get("when")) or _stages_problem(value.get("stages"))


def _hook_problem(hook: object) -> str | None:
    if not isinstance(hook, dict) or not isinstance(hook.get("path"), str) or not hook["path"].startswith("/"):
        return "hook.path is not an absolute path"
    for key in ("args", "env"):
        if not _is_texts(hook.get(key, [])):
            return f"hook.{key} is not a list of strings"
    timeout = hook.get("timeout", 1)
    return None if type(timeout) is int and timeout > 0 else "hook.timeout is not a positive number of seconds"


def _when_problem(when: object) -> str | None:
    if not isinstance(when, dict):
        return "when is not an object"
    for key in ("always", "hasBindMounts"):
        if not isinstance(when.get(key, False), bool):
            return f"when.{key} is neither true nor false"
    annotations, commands = when.get("annotations", {}), when.get("commands", [])
    if not isinstance(annotations, Mapping) or not _is_texts([*annotations.values()]):
        return "when.annotations is not an object of strings"
    if not _is_texts(commands):
        return "when.commands is not a list of strings"
    for pattern in (*annotations, *annotations.values(), *commands):
        try:
            re.compile(pattern)  # Go's syntax is nearly the same, so this finds most errors
        except re.error as error:
            return f"{pattern!r} is not a regular expression: {error}"
    return None


def _stages_problem(stages: object) -> str | None:
    if not isinstance(stages, list):
        return "stages is not a list"
    unknown = [stage for stage in stages if stage not in _KNOWN_STAGES]
    return f"unknown stage {unknown[0]!r}" if unknown else None


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
