# SPDX-License-Identifier: Apache-2.0
"""Facts that the stat family tells: a device's numbers, the inode of a socket or pipe, what is no symbolic link."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final, NamedTuple

from traceloop_decode.descriptors.making import data_of, place_in, unchanged
from traceloop_decode.descriptors.names import Known, of_pipe, of_socket
from traceloop_decode.descriptors.opened import Opened
from traceloop_decode.descriptors.paths import Place
from traceloop_decode.descriptors.tables import Begun, Task
from traceloop_decode.descriptors.world import World
from traceloop_decode.model import Call

_INT: Final = 0xFFFFFFFF
_AT_SYMLINK_NOFOLLOW: Final = 0x100
_AT_EMPTY_PATH: Final = 0x1000
_S_IFMT: Final = 0o170000
_S_IFSOCK: Final = 0o140000
_S_IFLNK: Final = 0o120000
_S_IFIFO: Final = 0o010000
_DEVICES: Final = {0o020000: "char", 0o060000: "block"}
_NEW_SOCKET: Final = _S_IFSOCK | 0o777  # sockfs; of a socket's file, which open(2) with O_PATH opens, the umask is off
_S_IFDIR: Final = 0o040000
_STAT: Final = Struct("<8xQQI12xQ")  # st_ino, st_nlink, st_mode, st_rdev
_STAT_ARM64: Final = Struct("<8xQII8xQ")  # st_ino, st_mode, st_nlink, st_rdev
_STATX: Final = Struct("<16xI8xH2xQ88xII")  # stx_nlink, stx_mode, stx_ino, stx_rdev_major, stx_rdev_minor


class _Told(NamedTuple):
    mode: int
    inode: int
    device: str  # "" if it is none
    several: bool  # a file that has several names
    whole: bool  # a directory, or a file that has one name


def _of_stat(call: Call, index: int) -> _Told | None:
    data, layout = data_of(call, index, out=True), _STAT_ARM64 if call.abi.arch == "aarch64" else _STAT
    if call.compat or data is None or len(data) < layout.size:
        return None
    inode, links, mode, number = layout.unpack_from(data)
    if layout is _STAT_ARM64:
        links, mode = mode, links
    # new_encode_dev of linux/kdev_t.h
    major, minor = number >> 8 & 0xFFF | number >> 32 & 0xFFFFF000, number & 0xFF | number >> 12 & 0xFFF00
    return _told(mode, links, inode, (major, minor))


def _of_statx(call: Call, index: int) -> _Told | None:
    data = data_of(call, index, out=True)
    if data is None or len(data) < _STATX.size:
        return None
    links, mode, inode, major, minor = _STATX.unpack_from(data)
    return _told(mode, links, inode, (major, minor))


def _told(mode: int, links: int, inode: int, device: tuple[int, int]) -> _Told:
    kind = _DEVICES.get(mode & _S_IFMT)
    text = f"{kind} {device[0]}:{device[1]}" if kind is not None else ""
    several = mode & _S_IFMT != _S_IFDIR and links > 1
    return _Told(mode, inode, text, several=several, whole=links == 1 or mode & _S_IFMT == _S_IFDIR)


def _fstat(world: World, task: Task, call: Call, begun: Begun) -> None:
    _of_fd(world, task, begun, call.registers[0] & _INT, _of_stat(call, 1))


def _stat(world: World, task: Task, call: Call, begun: Begun) -> None:
    _of_place(world, place_in(task, call, begun, None, 0), _of_stat(call, 1), follows=call.name == "stat")


def _newfstatat(world: World, task: Task, call: Call, begun: Begun) -> None:
    _at(world, task, call, begun, told=_of_stat(call, 2), flags=call.registers[3])


def _statx(world: World, task: Task, call: Call, begun: Begun) -> None:
    _at(world, task, call, begun, told=_of_statx(call, 4), flags=call.registers[2])


def _at(world: World, task: Task, call: Call, begun: Begun, *, told: _Told | None, flags: int) -> None:
    path = data_of(call, 1)
    if flags & _AT_EMPTY_PATH and (path == b"" or not call.registers[1]):
        _of_fd(world, task, begun, call.registers[0] & _INT, told)
    elif path:
        _of_place(world, place_in(task, call, begun, 0, 1), told, follows=not flags & _AT_SYMLINK_NOFOLLOW)


def _of_place(world: World, place: Place | None, told: _Told | None, *, follows: bool) -> None:
    if told is None or place is None:
        return
    if told.several:
        world.shown.note_several(place)
    plain = not follows and told.mode & _S_IFMT not in (0, _S_IFLNK)
    device = told.device if world.sockets else ""
    if plain or device:
        world.shown.note(place, device=device, plain=plain, whole=plain and told.whole)


def _of_fd(world: World, task: Task, begun: Begun, fd: int, told: _Told | None) -> None:
    if told is None:
        return
    opened = unchanged(task, begun, fd)
    if opened is None:
        if told.mode == _NEW_SOCKET and begun.fds.opened(fd) is None and task.table.get(fd) is None:
            task.table.put(fd, Opened(_socket(told.inode), world.names), closed_by_exec=True)
        return
    if opened.now is not None:
        _of_opened(world, opened, opened.now, told)


def _of_opened(world: World, opened: Opened, known: Known, told: _Told) -> None:
    if known.place is not None and not known.deleted:
        if told.several:
            world.shown.note_several(known.place)
        elif told.whole and world.shown.is_plain(known.place):
            world.shown.note(known.place, whole=True)
    if told.device and known.place is not None and not known.deleted and world.sockets:
        opened.change(Known(place=known.place, device=told.device))
        if not known.place.real:  # what /proc says may be a path in another mount namespace
            world.shown.note(known.place, device=told.device)
    elif told.mode & _S_IFMT == _S_IFSOCK and known.socket is not None:
        opened.change(of_socket(known.socket._replace(inode=told.inode), ends=world.sockets))
    elif told.mode & _S_IFMT == _S_IFSOCK and known.place is None and not known.text:
        opened.change(_socket(told.inode))
    elif told.mode & _S_IFMT == _S_IFIFO and opened.twin is not None:
        opened.change(of_pipe(told.inode))
        opened.twin.change(of_pipe(told.inode))


def _socket(inode: int) -> Known:
    return Known("", shown=f"<socket:[{inode}]>")


LEARN_TOLD: Final[dict[str, Callable[[World, Task, Call, Begun], None]]] = {
    "fstat": _fstat,
    "stat": _stat,
    "lstat": _stat,
    "newfstatat": _newfstatat,
    "statx": _statx,
}
"""Call -> what it tells of descriptors and places."""
