# SPDX-License-Identifier: Apache-2.0
"""Effects of successful calls on descriptors and directories: a function per kind of call, and the table of all."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from traceloop_decode.descriptors.anonymous import ANONYMOUS, BPF_FDS, LEARN_ANONYMOUS
from traceloop_decode.descriptors.making import data_of, new_file, place_in, place_of, result_of, unchanged
from traceloop_decode.descriptors.moved import LEARN_MOVED
from traceloop_decode.descriptors.names import (
    Known,
    address,
    is_definite,
    of_place,
    of_socket,
    socket_kind,
)
from traceloop_decode.descriptors.opened import Opened
from traceloop_decode.descriptors.passed import RECEIVES
from traceloop_decode.descriptors.paths import Place, said
from traceloop_decode.descriptors.tables import ROOT, Begun, Task
from traceloop_decode.descriptors.told import LEARN_TOLD
from traceloop_decode.descriptors.world import World
from traceloop_decode.model import Call, Socket

_INT: Final = 0xFFFFFFFF
_O_CREAT: Final = 0o100
_O_EXCL: Final = 0o200
_O_NOFOLLOW: Final = {"x86_64": 0o400000, "aarch64": 0o100000}
_O_CLOEXEC: Final = 0o2000000
_O_PATH: Final = 0o10000000
_O_TMPFILE: Final = 0o20000000
_FD_CLOEXEC: Final = 1
_OPEN_TREE_CLONE: Final = 1
_AT_EMPTY_PATH: Final = 0x1000
_CLOSE_RANGE_UNSHARE: Final = 2
_CLOSE_RANGE_CLOEXEC: Final = 4
_RESOLVE_IN_ROOT: Final = 0x10
_CLONE_FS: Final = 0x200
_CLONE_FILES: Final = 0x400
_CLONE_NEWNS: Final = 0x20000
_MS_MOVE: Final = 0x2000
_F_DUPFD: Final = 0
_F_SETFD: Final = 2
_F_DUPFD_CLOEXEC: Final = 1030
_FIONCLEX: Final = 0x5450
_FIOCLEX: Final = 0x5451
_OPEN_HOW: Final = Struct("<QQQ")
_TWO_FDS: Final = Struct("<II")


def _opened(world: World, task: Task, call: Call, place: Place | None, flags: int) -> None:
    found = None
    if place is not None and flags & _O_TMPFILE == 0:
        nofollow = _O_NOFOLLOW["aarch64" if call.abi.arch == "aarch64" else "x86_64"]
        made = flags & (_O_CREAT | _O_EXCL) == _O_CREAT | _O_EXCL
        if made or flags & (nofollow | _O_PATH) == nofollow:
            world.shown.note(place, plain=True, whole=made)
        found = of_place(place, world.shown.device(place))
    new_file(world, task, call, found, closed_by_exec=flags & _O_CLOEXEC != 0)


def _open(world: World, task: Task, call: Call, begun: Begun) -> None:
    _opened(world, task, call, place_in(task, call, begun, None, 0), call.registers[1] if call.name == "open" else 0)


def _openat(world: World, task: Task, call: Call, begun: Begun) -> None:
    _opened(world, task, call, place_in(task, call, begun, 0, 1), call.registers[2])


def _openat2(world: World, task: Task, call: Call, begun: Begun) -> None:
    how = data_of(call, 2)
    flags, _, resolve = _OPEN_HOW.unpack_from(how) if how is not None and len(how) >= _OPEN_HOW.size else (0, 0, -1)
    place = place_in(task, call, begun, 0, 1) if not resolve & _RESOLVE_IN_ROOT else None
    _opened(world, task, call, place, flags)


def _dup(_world: World, task: Task, call: Call, begun: Begun) -> None:
    source, target = call.registers[0] & _INT, result_of(call)
    if call.name != "dup2" or source != target:
        closed = call.name == "dup3" and call.registers[2] & _O_CLOEXEC != 0
        task.table.put(target, unchanged(task, begun, source), closed_by_exec=closed)


def _fcntl(_world: World, task: Task, call: Call, begun: Begun) -> None:
    fd, command = call.registers[0] & _INT, call.registers[1] & _INT
    if command in (_F_DUPFD, _F_DUPFD_CLOEXEC):
        task.table.put(result_of(call), unchanged(task, begun, fd), closed_by_exec=command == _F_DUPFD_CLOEXEC)
    elif command == _F_SETFD:
        task.table.mark(fd, closed_by_exec=call.registers[2] & _FD_CLOEXEC != 0)


def _ioctl(_world: World, task: Task, call: Call, _begun: Begun) -> None:
    command = call.registers[1] & _INT
    if command in (_FIOCLEX, _FIONCLEX):
        task.table.mark(call.registers[0] & _INT, closed_by_exec=command == _FIOCLEX)


def _close(_world: World, task: Task, call: Call, _begun: Begun) -> None:
    task.table.drop(call.registers[0] & _INT)


def _close_range(world: World, task: Task, call: Call, _begun: Begun) -> None:
    first, last, flags = (register & _INT for register in call.registers[:3])
    if flags & _CLOSE_RANGE_UNSHARE:
        task = world.unshared(call, files=True, directories=False)
    if flags & _CLOSE_RANGE_CLOEXEC:
        task.table.mark_range(first, last)
    else:
        task.table.drop_range(first, last)


def _chdir(_world: World, task: Task, call: Call, begun: Begun) -> None:
    task.at.cwd = place_in(task, call, begun, None, 0)


def _fchdir(_world: World, task: Task, call: Call, begun: Begun) -> None:
    task.at.cwd = place_of(unchanged(task, begun, call.registers[0] & _INT))


def _getcwd(_world: World, task: Task, call: Call, begun: Begun) -> None:
    path = data_of(call, 0)
    if path is not None and task.at.cwd == begun.place:
        task.at.cwd = said(task.at.root, path)


def _chroot(_world: World, task: Task, call: Call, begun: Begun) -> None:
    task.at.root = place_in(task, call, begun, None, 0)


def _namespace(_world: World, task: Task, call: Call, _begun: Begun) -> None:
    flags = call.registers[1] & _INT
    if flags == 0 or flags & _CLONE_NEWNS:
        task.at.cwd, task.at.root = None, task.at.root if task.at.root == ROOT else None
        task.table.forget()


def _unshare(world: World, _task: Task, call: Call, _begun: Begun) -> None:
    flags = call.registers[0]
    world.unshared(call, files=flags & _CLONE_FILES != 0, directories=flags & (_CLONE_FS | _CLONE_NEWNS) != 0)


def _moved(world: World, _task: Task, call: Call, _begun: Begun) -> None:
    # Mounts move, with everything below them.
    if call.name == "mount" and not call.registers[3] & _MS_MOVE:
        return
    if call.name == "pivot_root":
        world.names.pivot()
    else:
        world.names.take_all()
    world.forks.forget()


def _pipe(world: World, task: Task, call: Call, _begun: Begun) -> None:
    ends = _two_new(world, task, call, 0, Known(""), closed_by_exec=_has_cloexec(call, "pipe2", 1))
    if ends is not None:
        ends[0].twin, ends[1].twin = ends[1], ends[0]


def _socketpair(world: World, task: Task, call: Call, _begun: Begun) -> None:
    family, kind, protocol = (register & _INT for register in call.registers[:3])
    name = socket_kind(family, kind, protocol)
    found = of_socket(Socket(name, protocol=protocol), ends=world.sockets) if name is not None else Known("")
    ends = _two_new(world, task, call, 3, found, closed_by_exec=_has_cloexec(call, "socketpair", 1))
    if ends is not None:
        world.passed.pair(call, ends)


def _has_cloexec(call: Call, name: str, flags_at: int) -> bool:
    return call.name == name and call.registers[flags_at] & _O_CLOEXEC != 0


def _two_new(
    world: World, task: Task, call: Call, stored_at: int, known: Known, *, closed_by_exec: bool
) -> tuple[Opened, Opened] | None:
    # Notes the two descriptors that a call made and stored.
    stored = data_of(call, stored_at, out=True)
    if stored is None or len(stored) < _TWO_FDS.size:
        return None
    ends = Opened(known, world.names), Opened(known, world.names)
    for fd, opened in zip(_TWO_FDS.unpack_from(stored), ends, strict=True):
        task.table.put(fd, opened, closed_by_exec=closed_by_exec)
    return ends


def _socket(world: World, task: Task, call: Call, _begun: Begun) -> None:
    family, kind, protocol = (register & _INT for register in call.registers[:3])
    name = socket_kind(family, kind, protocol)
    found = of_socket(Socket(name, protocol=protocol), ends=world.sockets) if name is not None else Known("")
    new_file(world, task, call, found, closed_by_exec=kind & _O_CLOEXEC != 0)


def _accept(world: World, task: Task, call: Call, begun: Begun) -> None:
    listener = _socket_of(unchanged(task, begun, call.registers[0] & _INT))
    found = None
    if listener is not None:
        kind, local, _, protocol, _ = listener
        remote = address(data_of(call, 1, out=True) or b"")
        found = of_socket(Socket(kind, local if is_definite(local) else "", remote, protocol), ends=world.sockets)
    closed = call.name == "accept4" and call.registers[3] & _O_CLOEXEC != 0
    new_file(world, task, call, found, closed_by_exec=closed)


def _bind(world: World, task: Task, call: Call, begun: Begun) -> None:
    local = address(data_of(call, 1) or b"")
    _change_socket(
        world, task, call, begun, lambda socket: socket._replace(local="" if local.endswith(":0") else local)
    )


def _connect(world: World, task: Task, call: Call, begun: Begun) -> None:
    remote = address(data_of(call, 1) or b"")
    _change_socket(
        world,
        task,
        call,
        begun,
        lambda socket: socket._replace(local=socket.local if is_definite(socket.local) else "", remote=remote),
    )


def _getsockname(world: World, task: Task, call: Call, begun: Begun) -> None:
    local = address(data_of(call, 1, out=True) or b"")
    if not local.endswith(":0"):
        _change_socket(world, task, call, begun, lambda socket: socket._replace(local=local or socket.local))


def _getpeername(world: World, task: Task, call: Call, begun: Begun) -> None:
    remote = address(data_of(call, 1, out=True) or b"")
    _change_socket(world, task, call, begun, lambda socket: socket._replace(remote=remote or socket.remote))


def _change_socket(world: World, task: Task, call: Call, begun: Begun, change: Callable[[Socket], Socket]) -> None:
    # The change applies to the socket in all processes, under all numbers.
    opened = unchanged(task, begun, call.registers[0] & _INT)
    socket = _socket_of(opened)
    if opened is not None and socket is not None:
        opened.change(of_socket(change(socket), ends=world.sockets))


def _open_tree(world: World, task: Task, call: Call, begun: Begun) -> None:
    flags = call.registers[2]
    place = None
    if not flags & _OPEN_TREE_CLONE:  # a copy is mounted nowhere
        is_empty = flags & _AT_EMPTY_PATH and data_of(call, 1) == b""
        opened = unchanged(task, begun, call.registers[0] & _INT) if is_empty else None
        place = place_of(opened) if is_empty else place_in(task, call, begun, 0, 1)
    _opened(world, task, call, place, flags & _O_CLOEXEC)


def _received(world: World, task: Task, call: Call, begun: Begun) -> None:
    world.passed.receive(call, task, begun)


def _unknown(_world: World, task: Task, call: Call, _begun: Begun) -> None:
    task.table.drop(result_of(call))


def _uring(world: World, task: Task, call: Call, _begun: Begun) -> None:
    if not world.requests:
        task.table.forget(blind=True)
        world.passed.give_up()
    new_file(world, task, call, Known("<anon_inode:[io_uring]>"), closed_by_exec=True)


def _socket_of(opened: Opened | None) -> Socket | None:
    known = opened.now if opened is not None else None
    return known.socket if known is not None else None


def makes_fd(call: Call) -> bool:
    """Tells whether the call's result is a descriptor, known or not."""
    if call.name in ("fcntl", "fcntl64"):
        return len(call.registers) > 1 and call.registers[1] & _INT in (_F_DUPFD, _F_DUPFD_CLOEXEC)
    made = call.result is not None and call.result >= 0
    if call.name == "landlock_create_ruleset":
        return made and len(call.registers) > 2 and not call.registers[2] & _INT
    if call.name == "bpf":
        return made and bool(call.registers) and call.registers[0] & _INT in BPF_FDS
    return made and call.name in _MAKE_FDS


_Learn = Callable[[World, Task, Call, Begun], None]
_MAKE_FDS: Final = frozenset(
    (
        *("open", "creat", "openat", "openat2", "dup", "dup2", "dup3", "socket", "accept", "accept4", "memfd_create"),
        *("pidfd_open", "open_tree", "io_uring_setup"),
        *ANONYMOUS,
    )
)
LEARN: Final[dict[str, _Learn]] = {
    "open": _open,
    "creat": _open,
    "openat": _openat,
    "openat2": _openat2,
    **dict.fromkeys(("dup", "dup2", "dup3"), _dup),
    **dict.fromkeys(("fcntl", "fcntl64"), _fcntl),
    "ioctl": _ioctl,
    "close": _close,
    "close_range": _close_range,
    "chdir": _chdir,
    "fchdir": _fchdir,
    "getcwd": _getcwd,
    "chroot": _chroot,
    "setns": _namespace,
    "unshare": _unshare,
    **dict.fromkeys(("pivot_root", "move_mount", "mount", "umount2"), _moved),
    **LEARN_MOVED,
    **dict.fromkeys(("pipe", "pipe2"), _pipe),
    **dict.fromkeys(RECEIVES, _received),
    "socket": _socket,
    "socketpair": _socketpair,
    **dict.fromkeys(("accept", "accept4"), _accept),
    "bind": _bind,
    "connect": _connect,
    "getsockname": _getsockname,
    "getpeername": _getpeername,
    **LEARN_ANONYMOUS,
    **LEARN_TOLD,
    **dict.fromkeys(("open_by_handle_at", "pidfd_getfd"), _unknown),
    "open_tree": _open_tree,
    "io_uring_setup": _uring,
    "fixed_fd_install": _unknown,
}
