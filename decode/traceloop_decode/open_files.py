# SPDX-License-Identifier: Apache-2.0
"""Descriptors and directories of processes, as the daemon read them from /proc when it began to record.

As a field of the snapshot's JSON::

    {"from_ns": 1, "until_ns": 2, "processes": {"814": {"cwd": "/", "root": "/", "fds": {"0": ["/dev/null", false]}}}}

Names are bytes, written as Latin-1; ``cwd`` and ``root`` may be missing. A descriptor's second value says whether
execve closes it. ``devices`` of a process has the numbers of devices, as strace prints them: ``{"0": "char 1:3"}``.
``outside`` lists descriptors whose files are, or may be, in no mount of the process's mount namespace.
``later`` is a list of such objects, each of a process that came from outside while recording went on: read from /proc,
or told by the kernel side as a program began, then of one moment, without ``cwd`` and ``root``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from traceloop_decode.model import DecodeError

LATER_MAX: Final = 128
_LATER_FIRST: Final = 2
_LATER_FDS_MAX: Final = 1024
_ENCODING: Final = "latin-1"
_FD_MAX: Final = 0x7FFFFFFF
_DEVICE: Final = re.compile(r"(?:char|block) \d{1,10}:\d{1,10}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Process:
    """A process. cwd, root: None if unreadable; both: not read. fds: number -> (result of readlink(2), close-on-exec).

    devices: descriptor of a device -> its numbers: ``char 1:3``. outside: descriptors of files that are, or may be, in
    no mount of the process's mount namespace, so that what calls do with a file of the same path does not concern them.
    """

    cwd: bytes | None
    root: bytes | None
    fds: Mapping[int, tuple[bytes, bool]]
    devices: Mapping[int, str] = field(default_factory=dict)
    outside: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class OpenFiles:
    """Processes that were read, by pid. from_ns, until_ns: CLOCK_BOOTTIME when reading began and ended.

    later: of processes that came from outside while recording went on, each read then; without such of their own.
    """

    from_ns: int
    until_ns: int
    processes: Mapping[int, Process]
    later: tuple[OpenFiles, ...] = ()

    def with_later(self, read: OpenFiles) -> OpenFiles:
        """Returns the files with those of a process that came later; of many, the first (the program) and the last."""
        first, others = self.later[:_LATER_FIRST], self.later[_LATER_FIRST:]
        later, left = [read], _LATER_FDS_MAX - read.count() - sum(each.count() for each in first)
        for earlier in others[::-1][: LATER_MAX - _LATER_FIRST - 1]:
            left -= earlier.count()
            if left < 0:
                break
            later.append(earlier)
        return replace(self, later=(*first, *later[::-1]))

    def count(self) -> int:
        """Returns the number of descriptors, without `later`."""
        return sum(len(process.fds) for process in self.processes.values())

    def fields(self) -> dict[str, Any]:
        """Returns the files as JSON values."""
        return {
            "from_ns": self.from_ns,
            "until_ns": self.until_ns,
            "processes": {str(pid): _process_fields(process) for pid, process in self.processes.items()},
        } | ({"later": [read.fields() for read in self.later]} if self.later else {})

    @classmethod
    def of_fields(cls, fields: object) -> OpenFiles:
        """Parses what `fields` returned. Raises DecodeError for anything else."""
        try:
            return _of_fields(fields)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DecodeError(f"damaged snapshot: open_files: {error!r}") from error


def _process_fields(process: Process) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "fds": {str(fd): [name.decode(_ENCODING), closed] for fd, (name, closed) in process.fds.items()}
    }
    if process.devices:
        shown["devices"] = {str(fd): device for fd, device in process.devices.items()}
    if process.outside:
        shown["outside"] = sorted(process.outside)
    for key, name in (("cwd", process.cwd), ("root", process.root)):
        if name is not None:
            shown[key] = name.decode(_ENCODING)
    return shown


def _of_fields(fields: Any) -> OpenFiles:
    begin, end = fields["from_ns"], fields["until_ns"]
    if type(begin) is not int or type(end) is not int:
        raise ValueError(f"times {begin!r} to {end!r}")
    later = tuple(_of_fields({**read, "later": []}) for read in fields.get("later", []))
    processes = {int(pid): _of_process(process) for pid, process in fields["processes"].items()}
    return OpenFiles(begin, end, processes, later)


def _of_process(fields: Any) -> Process:
    fds = {int(fd): (name.encode(_ENCODING), bool(closed)) for fd, (name, closed) in fields["fds"].items()}
    if not all(0 <= fd <= _FD_MAX for fd in fds):
        raise ValueError(f"descriptors {min(fds)} to {max(fds)}")
    cwd, root = (fields[key].encode(_ENCODING) if key in fields else None for key in ("cwd", "root"))
    devices = {int(fd): device for fd, device in fields.get("devices", {}).items()}
    for device in devices.values():
        if not isinstance(device, str) or not _DEVICE.fullmatch(device):
            raise ValueError(f"device {device!r}")
    outside = frozenset(fields.get("outside", []))
    if not all(type(fd) is int for fd in outside):
        raise ValueError(f"outside {sorted(outside, key=repr)!r}")
    return Process(cwd, root, fds, devices, outside)
