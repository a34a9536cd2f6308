# SPDX-License-Identifier: Apache-2.0
"""System V's shared memory, semaphores and messages, POSIX message queues, keys, Landlock."""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode.arguments.words import Word
from traceloop_decode.errnos import ERRNO
from traceloop_decode.multiplexed_calls import IPC, kernel_number
from traceloop_decode.printers import memory
from traceloop_decode.printers.kit import MASK32, decimal_one, fixed, hexadecimal, register
from traceloop_decode.printers.numbers import address, mode, signed32
from traceloop_decode.printers.view import Printer, StructPrinter, View
from traceloop_decode.values.options import styled
from traceloop_decode.values.xlat import XLATS

_PERMISSIONS: Final = 0o777
_HUGE_SHIFT: Final = 26


def _without_comment(shown: str, flags: int) -> str:
    # strace adds no comment to unnamed bits here.
    return f"{flags:#x}" if "???" in shown else shown


def _get_flags(name: str) -> Printer:
    table = XLATS[name]

    def print_flags(view: View, index: int) -> str:
        value = view.registers[index] & MASK32
        flags, permissions = value & ~_PERMISSIONS, value & _PERMISSIONS
        huge = flags >> _HUGE_SHIFT if name == "shmget_flags" else 0
        flags &= ~(huge << _HUGE_SHIFT)
        parts = [_without_comment(table.flags(flags, view.options), flags)] if flags else []
        if huge:
            shift = {"raw": "26", "verbose": "26 /* SHM_HUGE_SHIFT */"}.get(view.options.constants, "SHM_HUGE_SHIFT")
            parts.append(f"{huge}<<{shift}")
        return "|".join([*parts, mode(permissions)])

    return print_flags


def _ipc_key(view: View, index: int) -> str:
    key = view.registers[index] & MASK32
    return f"{key:#x}" if key else styled("IPC_PRIVATE", "0", view.options.constants)


_IPC_SET: Final = 1


def _perm(data: bytes, view: View, command: int) -> str:
    key, uid, gid, cuid, cgid, permissions, *_ = _PERM_64.unpack_from(data)
    shown = f"{{uid={signed32(uid)}, gid={signed32(gid)}, mode={mode(permissions & MASK32)}"
    if register(view, command) & MASK32 == _IPC_SET:
        return shown + "}"
    return f"{shown}, key={key}, cuid={signed32(cuid)}, cgid={signed32(cgid)}}}"


_PERM_64: Final = Struct("<iIIIIIHxx4xQQ")  # include/uapi/asm-generic/ipcbuf.h
_SHM: Final = Struct("<QqqqiiQ")  # after the permissions
_SEM: Final = Struct("<q8xq8xQ")
_SEM_ARM64: Final = Struct("<qqQ")  # asm-generic/sembuf.h
_MSG: Final = Struct("<qqqQQQii")


def _shm_state(data: bytes, view: View) -> str:
    if len(data) < _PERM_64.size + _SHM.size:
        return "{...}"
    perm = _perm(data, view, 1)
    if register(view, 1) & MASK32 == _IPC_SET:
        return f"{{shm_perm={perm}}}"
    size, atime, dtime, ctime, creator, last, attached = _SHM.unpack_from(data, _PERM_64.size)
    return (
        f"{{shm_perm={perm}, shm_segsz={size}, shm_cpid={creator}, shm_lpid={last}, shm_nattch={attached}, "
        f"shm_atime={atime}, shm_dtime={dtime}, shm_ctime={ctime}}}"
    )


def _sem_state(data: bytes, view: View) -> str:
    layout = _SEM_ARM64 if view.call.abi.arch == "aarch64" else _SEM
    if len(data) < _PERM_64.size + layout.size:
        return "{...}"
    perm = _perm(data, view, 2)
    if register(view, 2) & MASK32 == _IPC_SET:
        return f"{{sem_perm={perm}}}"
    otime, ctime, count = layout.unpack_from(data, _PERM_64.size)
    return f"{{sem_perm={perm}, sem_otime={otime}, sem_ctime={ctime}, sem_nsems={count}}}"


def _msg_state(data: bytes, view: View) -> str:
    if len(data) < _PERM_64.size + _MSG.size:
        return "{...}"
    perm = _perm(data, view, 1)
    stime, rtime, ctime, _, count, size, sender, receiver = _MSG.unpack_from(data, _PERM_64.size)
    if register(view, 1) & MASK32 == _IPC_SET:
        return f"{{msg_perm={perm}, msg_qbytes={size}}}"
    return (
        f"{{msg_perm={perm}, msg_stime={stime}, msg_rtime={rtime}, msg_ctime={ctime}, msg_qnum={count}, "
        f"msg_qbytes={size}, msg_lspid={sender}, msg_lrpid={receiver}}}"
    )


def _fields(shape: str, names: str) -> StructPrinter:
    order = names.split()

    @fixed(shape)
    def show(_view: View, *values: int) -> str:
        return f"{{{', '.join(f'{name}={value}' for name, value in zip(order, values, strict=True))}}}"

    return show


_SEM_FLAGS: Final = XLATS["semop_flags"]


@fixed("Hhh")
def _sembuf(view: View, number: int, operation: int, flags: int) -> str:
    return f"{{sem_num={number}, sem_op={operation}, sem_flg={_SEM_FLAGS.flags(flags & 0xFFFF, view.options)}}}"


def _message_of(shape: str) -> Printer:
    # struct msgbuf: a type, then as many bytes as the call says.
    head = Struct(shape)

    def print_message(view: View, index: int) -> str:
        received = view.call.name == "msgrcv"
        item = None if received and view.failed else view.item(index, out=received)
        at = view.registers[index]
        if item is None or len(item.data) < (2 if item.fault else 1) * head.size:  # with its padding, or nothing
            return address(at)
        kind = head.unpack_from(item.data)[0]
        text = item._replace(data=item.data[head.size :], size=item.size - head.size)
        contents = memory.counted(text, at + head.size, text.size, view.options)
        return f"{{mtype={kind}, mtext={contents}}}"

    return print_message


_IPC_64: Final = 0x100


def _command(name: str) -> Printer:
    # 32-bit programs add IPC_64, which asks for the newer layout of structs.
    table = XLATS[name]

    def print_command(view: View, index: int) -> str:
        value = view.registers[index] & MASK32
        shown = table.one(value & ~_IPC_64, view.options)
        if not value & _IPC_64 or view.options.constants == "raw":
            return table.one(value, view.options) if value & _IPC_64 else shown
        return f"IPC_64|{shown}"

    return print_command


def _semctl_argument(view: View, index: int) -> str:
    # ipc(2) is given a pointer to it.
    shown = hexadecimal(view.registers[index] & MASK32)
    return f"[{shown}]" if kernel_number(view.call.number) == IPC else address(view.registers[index])


# POSIX message queues

_MQ_FLAGS: Final = XLATS["mq_bits"]
_O_CREAT: Final = 0o100
_MASK64: Final = (1 << 64) - 1


def _creating(printer: Printer) -> Printer:
    def print_if_creating(view: View, index: int) -> str | None:
        return printer(view, index) if register(view, 1) & _O_CREAT else None

    return print_if_creating


@fixed("4q")
def _mq_attr(view: View, flags: int, most: int, size: int, count: int) -> str:
    whole = flags & (MASK32 if view.call.compat else _MASK64)
    named = hexadecimal(whole) if view.call.name == "mq_open" else _MQ_FLAGS.flags(whole, view.options)
    return f"{{mq_flags={named}, mq_maxmsg={most}, mq_msgsize={size}, mq_curmsgs={count}}}"


_print_mq_attr: Final = memory.struct(Word("mq_attr", "in"), 64, _mq_attr)

# keys

_SPECIAL: Final = XLATS["key_special"]


def _key(view: View, index: int) -> str:
    value = signed32(view.registers[index])
    return styled(_SPECIAL.names.get(value, str(value)), str(value), view.options.constants)


def _key_default(view: View, index: int) -> str:
    table, value = XLATS["key_default"], signed32(view.registers[index])
    name = table.names.get(value)
    return styled(name, str(value), view.options.constants) if name else decimal_one(table, value)


def _error_name(view: View, index: int) -> str:
    value = view.registers[index] & MASK32
    return styled(ERRNO[value][0], str(value), view.options.constants) if value in ERRNO else str(value)


def _key_text(view: View, index: int) -> str:
    item = view.item(index, out=True) if not view.failed else None
    if item is None:
        return address(view.registers[index])
    shown, end, _ = item.data.partition(b"\0")
    is_cut = not end or len(shown) >= view.options.string_max
    return memory.text(shown, len(shown) + is_cut, view.options)


# Landlock

_ACCESS_FS: Final = XLATS["landlock_access"]
_ACCESS_BYTES: Final = 8


def _ruleset(data: bytes, view: View) -> str:
    size = register(view, 1)
    if size < _ACCESS_BYTES or len(data) < _ACCESS_BYTES:
        return address(register(view, 0))
    access = _ACCESS_FS.flags(int.from_bytes(data[:_ACCESS_BYTES], "little"), view.options)
    return f"{{handled_access_fs={access}{', ...' if size > _ACCESS_BYTES else ''}}}"


@fixed("Qi")
def _path_beneath(view: View, access: int, parent: int) -> str:
    return f"{{allowed_access={_ACCESS_FS.flags(access, view.options)}, parent_fd={view.fd(parent)}}}"


VALUES: Final[dict[str, Printer]] = {
    "ipc_id_key": _ipc_key,
    "shmget_bits": _get_flags("shmget_flags"),
    "ipcget_bits": _get_flags("ipc_flags"),
    "mq_mode": _creating(lambda view, index: mode(view.registers[index] & 0o177777)),
    "mq_create_attr": _creating(_print_mq_attr),
    "semctl_argument": _semctl_argument,
    "key": _key,
    "message": _message_of("<q"),
    "message_32": _message_of("<i"),
    "one_msgctl_cmd": _command("msgctl_cmd"),
    "one_semctl_cmd": _command("semctl_cmd"),
    "one_shmctl_cmd": _command("shmctl_cmd"),
    "key_text": _key_text,
    "key_default_ring": _key_default,
    "error_name": _error_name,
}

STRUCTS: Final[dict[str, StructPrinter]] = {
    "shm_state": _shm_state,
    "shm_limits": _fields("5Q", "shmmax shmmin shmmni shmseg shmall"),
    "shm_usage": _fields("i4x5Q", "used_ids shm_tot shm_rss shm_swp swap_attempts swap_successes"),
    "sem_state": _sem_state,
    "sem_limits": _fields("10i", "semmap semmni semmns semmnu semmsl semopm semume semusz semvmx semaem"),
    "msg_state": _msg_state,
    "msg_limits": _fields("7iH", "msgpool msgmap msgmax msgmnb msgmni msgssz msgtql msgseg"),
    "sembuf": _sembuf,
    "mq_attr": _mq_attr,
    "landlock_ruleset": _ruleset,
    "path_beneath": _path_beneath,
}
