# SPDX-License-Identifier: Apache-2.0
"""Mounts that were recorded: which file system a path is on.

Runtimes mount on a descriptor's name (``/proc/self/fd/7``), below the container's root on the machine. That is where
they mount ``/proc`` first, and what they pass to pivot_root: so ``/var/lib/c1/root/data`` holds ``/data/orders.db``.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from traceloop_decode import layout
from traceloop_decode.causes import subject
from traceloop_decode.model import Call
from traceloop_decode.program_start import is_runtimes

PIVOT: Final = "pivot_root"
_OPENS: Final = ("open", "openat", "openat2")
CALLS: Final = ("mount", PIVOT, *_OPENS)
"""Names of the calls of a runtime that are to be observed; of the program's those but for opens."""
_MOUNTS_MAX: Final = 1024
_DESCRIPTOR: Final = re.compile(r"/proc/(?:self|thread-self|\d+)/fd/(\d{1,9})")
_PROC: Final = "/proc"
_KIND, _FLAGS, _DATA = 2, 3, 4  # arguments
_CHANGES: Final = 0x20 | 0x40000 | 0x80000 | 0x100000  # MS_REMOUNT, MS_PRIVATE, MS_SLAVE, MS_SHARED: no new mount


class Mount(NamedTuple):
    """A mount. place: on the machine. kind: ``tmpfs``, or "" for a bind mount. options: as they were given."""

    place: str
    kind: str
    options: str


class Mounts:
    """The mounts of a trace, the newest last."""

    def __init__(self) -> None:
        self._found: list[Mount] = []
        self._root: str | None = None  # the container's, on the machine
        self._opened: dict[tuple[int, int], str] = {}  # what a runtime mounts on; its descriptors are not followed

    def observe(self, call: Call) -> None:
        """Observes a call of `CALLS`."""
        if call.name in _OPENS:
            if call.result is not None and call.result >= 0 and len(self._opened) < _MOUNTS_MAX:
                self._opened[call.pid, call.result] = subject.path(call)
            return
        if call.name == PIVOT and call.result == 0 and is_runtimes(call.comm):
            root = subject.path(call).removesuffix("/.")
            self._root = root if root.startswith("/") else self._root
        if call.name != "mount" or call.result != 0 or len(call.registers) <= _FLAGS or len(self._found) >= _MOUNTS_MAX:
            return
        if call.registers[_FLAGS] & _CHANGES:
            return
        place = subject.path(call)
        found = _DESCRIPTOR.fullmatch(place)
        if found:
            known = call.files.before.get(int(found[1])) if call.files is not None else None
            opened = self._opened.get((call.pid, int(found[1])), "")
            place = subject.bare(known.text) if known is not None else opened
        if self._root is None and place.endswith(_PROC) and is_runtimes(call.comm):
            self._root = place.removesuffix(_PROC)
        if place.startswith("/"):
            self._found.append(Mount(place.rstrip("/"), _text(call, _KIND), _text(call, _DATA)))

    def of(self, path: str) -> str:
        """Returns the file system of a path in the container: ``tmpfs on /data, size=64k``; "" if it is not known."""
        above = path.rpartition("/")[0]
        while above:
            for mount in reversed(self._found):
                if mount.place == above or (self._root is not None and mount.place == self._root + above):
                    options = f", {mount.options}" if mount.options else ""
                    return f"{mount.kind or 'a volume'} on {above}{options}"
            above = above.rpartition("/")[0]
        return ""


def _text(call: Call, index: int) -> str:
    items = call.items.get(index, ())
    return next((subject.text(item) for item in items if item.kind in (layout.KIND_STRING, layout.KIND_BUFFER)), "")
