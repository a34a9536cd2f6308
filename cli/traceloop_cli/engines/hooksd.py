# SPDX-License-Identifier: Apache-2.0
"""Hooks as podman and CRI-O take them: JSON files in a directory (oci-hooks(5), schema 1.0.0).

Their common reader's rules, by the manual page and by trial: a file that it cannot make sense of stops every container
of the engine; one whose program is not there is skipped. The program is a shell (guard.py), since one that is there and
cannot be run stops every container too.
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
STAGES: Final = {"prestart": "start", "poststop": "stop"}  # of the runtime, of our hook
FILES: Final = {f"traceloop-{stage}.json": stage for stage in STAGES}
_KNOWN_STAGES: Final = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


class HooksDirEngine(ABC):
    """An engine that is wired by these files alone."""

    name: ClassVar[str]
    restart: ClassVar[str] = ""
    drop_in: ClassVar[Path]
    """Of its configuration files the last that it reads, if nobody tries to be later: see masking.py."""
    drop_in_restart: ClassVar[str] = ""
    table: ClassVar[str]
    """Where `hooks_dir` is in those files."""

    @abstractmethod
    def version(self, host: Host) -> str | None:
        """As it tells it; None where it is not installed."""

    @abstractmethod
    def settings(self, host: Host) -> Iterator[Any]:
        """The values of `hooks_dir` in its files, in the order in which it reads them."""

    @property
    def mask_directory(self) -> Path:
        """Where files are that mask ours. All users' engines read it: it is not below a directory of ours."""
        return MASKS / f"traceloop-off-{self.name}.d"

    def directories(self, host: Host) -> list[Path]:
        """Where it looks for files, the one of most weight last; without that of a mask. Raises Failed."""
        return [path for path in directories_of(self.settings(host)) if path != self.mask_directory]

    def directory(self, host: Host) -> Path:
        """Where the files are to be: the usual place if it is looked at, else the one of most weight."""
        found = self.directories(host)
        return DIRECTORY if DIRECTORY in found else found[-1]

    def is_masked(self, host: Host) -> bool:
        """Whether `engine disable` turned the files off, and nothing turned them on again."""
        last = directories_of(self.settings(host))[-1]
        return last == self.mask_directory and all(host.read(last / name) is not None for name in FILES)

    def enable(self, host: Host, *, default: bool) -> Plan:  # noqa: ARG002 - it is all containers anyway
        """Both files."""
        return Plan(changes(host, self.directory(host)), self.restart)

    def strip(self, host: Host, path: Path, content: bytes) -> bytes | None:  # noqa: ARG002
        """Nothing: these files are ours."""
        return None

    def restart_after(self, plan: Plan) -> str:  # noqa: ARG002
        """As ever."""
        return self.restart

    def leftovers(self, host: Host) -> list[Path]:  # noqa: ARG002
        """None that may go: files that no `enable` made are a package's. They stay, and are masked."""
        return []

    def findings(self, host: Host) -> Iterator[Finding]:
        """Of the files in its directory."""
        if self.is_masked(host):
            what = f"{self.drop_in} turns its hooks off, by `traceloopctl engine disable {self.name}`"
            enable = f"traceloopctl engine enable {self.name}"
            yield Finding(self.name, Level.WARNING, what, "containers are not recorded", enable)
        else:
            yield from findings(host, self.name, self.directory(host))


def text(host: Host, stage: str, *, always: bool = True) -> bytes:
    """One file. stage: a key of STAGES. always: for every container; else for none."""
    value = {
        "version": "1.0.0",
        "hook": host.hook_entry(STAGES[stage]),
        "when": {"always": always},
        "stages": [stage],
    }
    return (json.dumps(value, indent=2) + "\n").encode()


def changes(host: Host, directory: Path) -> list[Change]:
    """What puts both files there."""
    paths = {directory / name: stage for name, stage in FILES.items()}
    return [
        Change(path, host.read(path), _keep_if_same(host.read(path), text(host, stage)))
        for path, stage in paths.items()
    ]


def _keep_if_same(there: bytes | None, wanted: bytes) -> bytes:
    # A package's file is as good as ours, however it is spaced.
    if there is not None and problem(there) is None and json.loads(there) == json.loads(wanted):
        return there
    return wanted


def directories_of(settings: Iterator[Any]) -> list[Path]:
    """Of the `hooks_dir` that an engine's files say, in the order in which they are read: the last one's. Never empty.

    Raises Failed.
    """
    found: list[Path] = [DIRECTORY]
    for value in settings:
        if not isinstance(value, list) or not all(isinstance(one, str) and one.startswith("/") for one in value):
            raise Failed(f"hooks_dir = {value!r} is no list of directories")
        if not value:
            raise Failed("hooks_dir is empty, so this engine runs no hooks: name a directory there")
        found = [Path(one) for one in value]
    return found


def findings(host: Host, engine: str, directory: Path) -> Iterator[Finding]:
    """Of our two files, and of all others there that would stop containers."""
    enable = f"traceloopctl engine enable {engine}"
    for path in host.matching(f"{directory}/*.json"):
        trouble = problem(host.read(path) or b"")
        if trouble is not None:
            why = f"{engine} starts no container while this file is there"
            yield Finding(engine, Level.ERROR, f"{path} is no hook of schema 1.0.0: {trouble}", why, f"rm {path}")
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
            yield Finding(engine, Level.WARNING, f"{directory / name} names {hook}, which is not there", why, enable)
        elif value["stages"] != [stage] or STAGES[stage] not in words:
            why = "recordings would not begin or not end with the container"
            yield Finding(engine, Level.WARNING, f"{directory / name} runs {words} at {value['stages']}", why, enable)
        else:
            yield Finding(engine, Level.OK, f"{directory / name} runs {hook} at {stage}")


def problem(data: bytes) -> str | None:
    """What is wrong with a file by the schema, None if it is valid."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        return f"no JSON: {error}"
    if not isinstance(value, dict):
        return "no object"
    if value.get("version") != "1.0.0":
        return f"version {value.get('version')!r}"
    return _hook_problem(value.get("hook")) or _when_problem(value.get("when")) or _stages_problem(value.get("stages"))


def _hook_problem(hook: object) -> str | None:
    if not isinstance(hook, dict) or not isinstance(hook.get("path"), str) or not hook["path"].startswith("/"):
        return "hook.path is no absolute path"
    for key in ("args", "env"):
        if not _is_texts(hook.get(key, [])):
            return f"hook.{key} is no list of texts"
    timeout = hook.get("timeout", 1)
    return None if type(timeout) is int and timeout > 0 else "hook.timeout is no number of seconds above 0"


def _when_problem(when: object) -> str | None:
    if not isinstance(when, dict):
        return "when is no object"
    for key in ("always", "hasBindMounts"):
        if not isinstance(when.get(key, False), bool):
            return f"when.{key} is neither true nor false"
    annotations, commands = when.get("annotations", {}), when.get("commands", [])
    if not isinstance(annotations, Mapping) or not _is_texts([*annotations.values()]):
        return "when.annotations is no object of texts"
    if not _is_texts(commands):
        return "when.commands is no list of texts"
    for pattern in (*annotations, *annotations.values(), *commands):
        try:
            re.compile(pattern)  # Go's are nearly the same; what neither knows is found
        except re.error as error:
            return f"{pattern!r} is no regular expression: {error}"
    return None


def _stages_problem(stages: object) -> str | None:
    if not isinstance(stages, list):
        return "stages is no list"
    unknown = [stage for stage in stages if stage not in _KNOWN_STAGES]
    return f"unknown stage {unknown[0]!r}" if unknown else None


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
