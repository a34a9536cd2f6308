# SPDX-License-Identifier: Apache-2.0
"""Effects of calls that give files names or take them: rename, unlink, link, mkdir and their kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from traceloop_decode.descriptors.making import data_of, place_in
from traceloop_decode.descriptors.opened import Move
from traceloop_decode.descriptors.paths import Place
from traceloop_decode.descriptors.tables import Begun, Task
from traceloop_decode.descriptors.world import World
from traceloop_decode.model import Call

_AT_REMOVEDIR: Final = 0x200
_AT_SYMLINK_FOLLOW: Final = 0x400
_RENAME_NOREPLACE: Final = 1
# Call -> for each of its paths the arguments with the directory, None for the current one, and with the path
_REMOVED: Final[dict[str, tuple[int | None, int]]] = {"unlink": (None, 0), "unlinkat": (0, 1), "rmdir": (None, 0)}
_NAMED: Final[dict[str, tuple[int | None, int]]] = {
    "mkdir": (None, 0),
    "mkdirat": (0, 1),
    "mknod": (None, 0),
    "mknodat": (0, 1),
}
_RENAMED: Final[dict[str, tuple[tuple[int | None, int], tuple[int | None, int]]]] = {
    "rename": ((None, 0), (None, 1)),
    "renameat": ((0, 1), (2, 3)),
    "renameat2": ((0, 1), (2, 3)),
}


def _removed(world: World, task: Task, call: Call, begun: Begun) -> None:
    place = place_in(task, call, begun, *_REMOVED[call.name])
    is_directory = call.name == "rmdir" or (call.name == "unlinkat" and call.registers[2] & _AT_REMOVEDIR != 0)
    _take(world, call, _REMOVED[call.name][1], place, None, plain=is_directory)


def _renamed(world: World, task: Task, call: Call, begun: Begun) -> None:
    (_, source_at), (_, target_at) = _RENAMED[call.name]
    source, target = (place_in(task, call, begun, *where) for where in _RENAMED[call.name])
    if source is not None and target is not None and source.is_at(target):
        return
    flags = call.registers[4] if call.name == "renameat2" else 0
    names, shown = [_last_name(call, at) for at in (source_at, target_at)], world.shown
    if flags & ~_RENAME_NOREPLACE:
        source = target = None
        shown.note_moved(*names[::-1])
    whole = [place is not None and shown.is_whole(place) for place in (source, target)]
    plain = source is not None and shown.is_plain(source)
    # With two names of one file nothing happens; with two of one directory, by a link, they are one name.
    is_one = names[0] == names[1] and not all(place is not None and place.real for place in (source, target))
    may_stay = not flags and (is_one or not any(whole) or shown.may_be_one(*names))
    _take(world, call, target_at, target, None, may_stay=may_stay)  # another file loses the name
    _take(world, call, source_at, source if target is not None else None, target, may_stay=may_stay)
    shown.note_moved(*names)
    if target is not None and plain:
        shown.note(target, plain=True, whole=whole[0])


def _take(
    world: World,
    call: Call,
    path_at: int,
    place: Place | None,
    to: Place | None,
    *,
    plain: bool = False,
    may_stay: bool = False,
) -> None:
    plain = plain or (place is not None and world.shown.is_plain(place))
    world.names.take(_last_name(call, path_at), Move(place, to, plain, may_stay) if place is not None else None)


def _last_name(call: Call, path_at: int) -> bytes:
    # Returns the last part of a path; empty if the path is not known, too.
    path = data_of(call, path_at)
    return path.rstrip(b"/").rpartition(b"/")[2] if path is not None else b""


def _linked(world: World, _task: Task, call: Call, _begun: Begun) -> None:
    name_at, link_at = (0, 1) if call.name == "link" else (1, 3)
    follows = call.name == "linkat" and call.registers[4] & _AT_SYMLINK_FOLLOW  # perhaps to a file of another name
    world.shown.note_link(b"" if follows else _last_name(call, name_at), _last_name(call, link_at))


def _named(world: World, task: Task, call: Call, begun: Begun) -> None:
    place = place_in(task, call, begun, *_NAMED[call.name])
    if place is not None:
        world.shown.note(place, plain=True, whole=True)


LEARN_MOVED: Final[dict[str, Callable[[World, Task, Call, Begun], None]]] = {
    **dict.fromkeys(_REMOVED, _removed),
    **dict.fromkeys(_RENAMED, _renamed),
    **dict.fromkeys(_NAMED, _named),
    **dict.fromkeys(("link", "linkat"), _linked),
}
"""Call -> what it does to names."""
