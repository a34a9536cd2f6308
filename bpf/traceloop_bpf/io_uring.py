# SPDX-License-Identifier: Apache-2.0
"""Finds out from BTF whether and how this kernel tells of io_uring requests, and where their arguments lie.

The kernel copies a request from the queue, which the program can change at any time, into a struct of its own before it
says that the request was submitted. The programs read that struct. Its members are no interface and differ between
kernels, so each is looked up by name; the arguments from the first one that a kernel lacks on are not recorded.
"""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from typing import Final

from traceloop_bpf.btf import BtfError, Types
from traceloop_decode import layout
from traceloop_decode.arguments.capture import request_call
from traceloop_decode.requests import OPCODES
from traceloop_decode.syscalls import Syscall, parsed

_SUBMIT: Final = ("io_uring_submit_req", "io_uring_submit_sqe")  # as on Linux 6.18 and on 6.1
_COMPLETE: Final = "io_uring_complete"
_REFUSE: Final = "io_uring_req_failed"
WITHOUT: Final = "TL_TEST_NO_IO_URING"
"""A -D value of tests: the kernel is taken for one that has no such tracepoints."""
_CQE_IS_ARGUMENT: Final = 3  # that many arguments of io_uring_complete, as on Linux 6.18; 6.1 has seven
_MEMBERS: Final = {
    "URING_OPCODE": ("io_kiocb", "opcode"),
    "URING_FLAGS": ("io_kiocb", "flags"),
    "URING_USER_DATA": ("io_kiocb", "cqe.user_data"),
    "URING_CQE": ("io_kiocb", "cqe"),
    "URING_CTX": ("io_kiocb", "ctx"),
    "URING_ASYNC": ("io_kiocb", "async_data"),
    "URING_SETUP": ("io_ring_ctx", "flags"),
    "URING_SQ_ENTRIES": ("io_ring_ctx", "sq_entries"),
    "URING_SQ_HEAD": ("io_ring_ctx", "cached_sq_head"),
    "URING_SQ_ARRAY": ("io_ring_ctx", "sq_array"),
    "URING_SQES": ("io_ring_ctx", "sq_sqes"),
    "FILENAME_NAME": ("filename", "name"),
    "FILENAME_UPTR": ("filename", "uptr"),
    "TASK_FLAGS": ("task_struct", "flags"),
}
_COMPAT: Final = ("io_ring_ctx", "compat")
_ASYNC_BIT: Final = "REQ_F_ASYNC_DATA_BIT"
_TASK: Final = ("io_kiocb", "task")  # on Linux 6.1; 6.18 has the two below
_TASK_BY_CONTEXT: Final = {"URING_TCTX": ("io_kiocb", "tctx"), "TCTX_TASK": ("io_uring_task", "task")}

_SQE: Final = {  # struct io_uring_sqe: field -> offset, bytes
    "ioprio": (2, 2),
    "fd": (4, 4),
    "off": (8, 8),
    "cmd_op": (8, 4),
    "addr": (16, 8),
    "len": (24, 4),
    "op_flags": (28, 4),
    "buf_index": (40, 2),
    "file_index": (44, 4),
    "addr3": (48, 8),
    "": (0, 0),
}
_FD: Final = "io_kiocb.cqe.fd/fd"
_RW: Final = f"{_FD} io_rw.addr/addr io_rw.len/len io_rw.kiocb.ki_pos/off io_rw.flags/op_flags"
_MESSAGE: Final = f"{_FD} io_sr_msg.umsg/addr io_sr_msg.msg_flags/op_flags"
_SEND: Final = (
    f"{_FD} io_sr_msg.buf/addr io_sr_msg.len/len io_sr_msg.msg_flags/op_flags io_sr_msg.addr|- "
    "io_sr_msg.addr_len|async:io_async_msghdr.msg.msg_namelen "
    "copy=4:async:io_async_msghdr.addr:128:5"
)
_RENAME: Final = "S.old_dfd/fd *S.oldpath/addr S.new_dfd/len *S.newpath/off S.flags/op_flags"
_VALUE: Final = "$io_xattr.ctx.kname/addr io_xattr.ctx.value/off io_xattr.ctx.size/len"
_FUTEX: Final = "io_futex.uaddr/addr io_futex.futex_val/off io_futex.futex_mask/addr3 io_futex.futex_flags/fd"
_TIMESPEC: Final = "copy=0:async:io_timeout_data.ts:16"

SOURCES: Final = {
    0: "",
    1: _RW,
    2: _RW,
    3: f"{_FD} io_sync.off/off io_sync.len/len io_sync.flags/op_flags",
    4: _RW,
    5: _RW,
    6: f"{_FD} io_poll.events/op_flags",
    7: "io_poll_update.old_user_data/addr io_poll_update.events/op_flags",
    8: f"{_FD} io_sync.off/off io_sync.len/len io_sync.flags/op_flags",
    9: _MESSAGE,
    10: _MESSAGE,
    11: f"-/addr io_timeout.off/off async:io_timeout_data.flags/op_flags {_TIMESPEC}",
    12: "io_timeout_rem.addr/addr io_timeout_rem.flags/op_flags",
    13: f"{_FD} io_accept.addr/addr io_accept.addr_len/off io_accept.flags/op_flags "
    "slot=io_accept.file_slot/file_index",
    14: "io_cancel.addr/addr io_cancel.flags/op_flags io_cancel.fd/fd",
    15: f"-/addr async:io_timeout_data.flags/op_flags {_TIMESPEC}",
    16: f"{_FD} io_connect.addr/addr io_connect.addr_len/off",
    17: f"{_FD} io_sync.mode/len io_sync.off/off io_sync.len/addr",
    18: "io_open.dfd/fd *io_open.filename/addr io_open.how.flags/op_flags io_open.how.mode/len "
    "slot=io_open.file_slot/file_index",
    19: "io_close.fd/fd slot=io_close.file_slot/file_index",
    20: "io_rsrc_update.arg/addr io_rsrc_update.nr_args/len io_rsrc_update.offset/off",
    21: "io_statx.dfd/fd *io_statx.filename/addr io_statx.flags/op_flags io_statx.mask/len io_statx.buffer/off",
    22: _RW,
    23: _RW,
    24: f"{_FD} io_fadvise.offset/off io_fadvise.len/len io_fadvise.advice/op_flags",
    25: "io_madvise.addr/addr io_madvise.len/len io_madvise.advice/op_flags",
    26: _SEND,
    27: f"{_FD} io_sr_msg.buf/addr io_sr_msg.len/len io_sr_msg.msg_flags/op_flags advanced=io_sr_msg.done_io",
    28: "io_open.dfd/fd *io_open.filename/addr -/off =24/len copy=2:io_open.how:24 slot=io_open.file_slot/file_index",
    29: "io_epoll.epfd/fd io_epoll.op/len io_epoll.fd/off -/addr copy=3:io_epoll.event:12",
    30: f"io_splice.splice_fd_in/file_index io_splice.off_in/addr {_FD} io_splice.off_out/off io_splice.len/len "
    "io_splice.flags/op_flags",
    31: "io_provide_buf.addr/addr io_provide_buf.len/len io_provide_buf.nbufs/fd io_provide_buf.bgid/buf_index "
    "io_provide_buf.bid/off",
    32: "io_provide_buf.nbufs/fd io_provide_buf.bgid/buf_index",
    33: f"io_splice.splice_fd_in/file_index {_FD} io_splice.len/len io_splice.flags/op_flags",
    34: f"{_FD} io_shutdown.how/len",
    35: _RENAME.replace("S.", "io_rename."),
    36: "io_unlink.dfd/fd *io_unlink.filename/addr io_unlink.flags/op_flags",
    37: "io_mkdir.dfd/fd *io_mkdir.filename/addr io_mkdir.mode/len",
    38: "*io_link.oldpath/addr io_link.new_dfd/fd *io_link.newpath/off",
    39: _RENAME.replace("S.", "io_link."),
    40: f"{_FD} io_msg.cmd/addr io_msg.user_data/off io_msg.len/len",
    41: f"{_FD} {_VALUE} io_xattr.ctx.flags/op_flags",
    42: f"*io_xattr.filename/addr3 {_VALUE} io_xattr.ctx.flags/op_flags",
    43: f"{_FD} {_VALUE}",
    44: f"*io_xattr.filename/addr3 {_VALUE}",
    45: "io_socket.domain/fd io_socket.type/off io_socket.protocol/len slot=io_socket.file_slot/file_index",
    46: f"{_FD} io_uring_cmd.cmd_op/cmd_op",
    47: _SEND,
    48: _MESSAGE,
    49: _RW,
    50: "io_waitid.which/len io_waitid.upid/fd io_waitid.infop/off io_waitid.options/file_index",
    51: _FUTEX,
    52: _FUTEX,
    53: "io_futex.uaddr/addr io_futex.futex_nr/len",
    54: f"{_FD} io_fixed_install.o_flags/op_flags",
    55: f"{_FD} io_ftrunc.len/off",
    56: f"{_FD} queue/addr io_bind.addr_len/off",
    57: f"{_FD} io_listen.backlog/len",
    58: f"{_FD} io_recvzc.len/len io_recvzc.msg_flags/op_flags",
    59: f"{_FD} io_epoll_wait.events/addr io_epoll_wait.maxevents/len",
    60: _RW,
    61: _RW,
    62: "io_pipe.fds/addr io_pipe.flags/op_flags slot=io_pipe.file_slot/file_index",
    63: "",
    64: f"{_FD} io_uring_cmd.cmd_op/cmd_op",
}
"""Opcode -> where each of its arguments lies: ``struct.member/field``, in the kernel's copy and in the queue's entry.

========================================  ==========================================================================
``*`` or ``$`` before it                  a struct filename; a string in the kernel
``async:`` before it                      in what async_data points to
``-``, ``queue``, ``=24``                 nowhere; in the queue's entry; that number
``A|B``                                   B where a kernel has no A
``copy=ARGUMENT:MEMBER:BYTES[:LENGTH]``   the kernel's copy of what an argument points to; LENGTH: the argument that
                                          says how many bytes, at most BYTES
``slot=``                                 the direct descriptor
``advanced=``                             see struct tl_opcode
========================================  ==========================================================================
"""
_SOURCE: Final = re.compile(r"(\*|\$)?(async:)?(?:(\w+)\.([\w.]+)|(-|queue)|=(\d+))(?:/(\w+))?")


@dataclass(frozen=True, slots=True)
class Found:
    """The tracepoints of a kernel. tracepoints: function of tracer.bpf.c -> raw tracepoint; empty if there are none.

    values: -D values for these functions.
    """

    tracepoints: dict[str, str]
    values: dict[str, int]


NOTHING: Final = Found({}, {})
TRACEPOINTS: Final = {
    "on_io_uring_submit": _SUBMIT,
    "on_io_uring_refuse": (_REFUSE,),
    "on_io_uring_complete": (_COMPLETE,),
}
"""Function of tracer.bpf.c -> the raw tracepoints it may be attached to."""
_OVERFLOW: Final = "io_uring_cqe_overflow"
OPTIONAL: Final = {"on_io_uring_overflow": (_OVERFLOW,)}
"""The same of functions that a kernel may have no tracepoint for, while it tells of requests."""


def find(types: Types) -> Found:
    """Looks for the tracepoints of io_uring."""
    submit = next((name for name in _SUBMIT if types.arguments(name)), None)
    if submit is None or not types.arguments(_REFUSE) or not types.arguments(_COMPLETE):
        return NOTHING
    values = {"TL_URING": 1}
    try:
        values |= {f"TL_OFFSET_{key}": types.member(*path)[0] // 8 for key, path in _MEMBERS.items()}
        values["TL_URING_ASYNC_BIT"] = types.enumerator(_ASYNC_BIT)
        bits = types.member(*_COMPAT)[0]
        values |= {"TL_OFFSET_URING_COMPAT": bits // 8, "TL_URING_COMPAT_BIT": bits % 8}
        try:
            values["TL_OFFSET_URING_TASK"] = types.member(*_TASK)[0] // 8
        except BtfError:
            values |= {f"TL_OFFSET_{key}": types.member(*path)[0] // 8 for key, path in _TASK_BY_CONTEXT.items()}
    except BtfError:  # structs of a kernel to come: what is submitted is counted then, as where nothing tells of it
        return NOTHING
    if types.arguments(_COMPLETE) == _CQE_IS_ARGUMENT:
        values["TL_URING_CQE_IS_ARGUMENT"] = 1
    tracepoints = {"on_io_uring_submit": submit, "on_io_uring_refuse": _REFUSE, "on_io_uring_complete": _COMPLETE}
    if types.arguments(_OVERFLOW):
        tracepoints["on_io_uring_overflow"] = _OVERFLOW
    return Found(tracepoints, values)


def opcodes(types: Types, item_max: int, call_max: int) -> dict[int, bytes]:
    """Returns each opcode's struct tl_opcode on this kernel. item_max, call_max: as in Geometry."""
    return {number: _packed(types, number, item_max, call_max) for number in OPCODES}


def _packed(types: Types, number: int, item_max: int, call_max: int) -> bytes:
    words = SOURCES[number].split()
    options = dict(word.split("=", 1) for word in words if re.match(r"\w+=", word))
    sources, names, strings = [], 0, 0
    for word in words:
        if re.match(r"\w+=", word):
            break
        try:
            sources.append(_source(types, word))
        except BtfError:
            break
        names |= word.startswith("*") << len(sources) - 1
        strings |= word.startswith("$") << len(sources) - 1
    count = len(sources)
    sources += [_NO_SOURCE] * (layout.REQUEST_ARGS - count)
    copy, copied, copy_bytes, content = _copy(types, OPCODES[number], options.get("copy"), count)
    sources += [_option(types, options.get("slot")), copy]
    advanced = types.member(*options["advanced"].split("."))[0] // 8 if "advanced" in options else 0
    call = parsed(OPCODES[number])
    seen = Syscall(call.name, call.params[:count])
    more_bytes = copy_bytes + layout.ITEM.size if copy_bytes else 0
    return b"".join(layout.SOURCE.pack(*source) for source in sources) + (
        layout.OPCODE_REST.pack(copy_bytes, count, names, strings, copied, content, advanced)
        + request_call(seen, item_max, call_max, more_bytes=more_bytes, arch=platform.machine())
    )


_Source = tuple[int, int, int, int, int]  # struct tl_source
_NO_SOURCE: Final = (0, 0, layout.SOURCE_NONE, 0, 0)


def _source(types: Types, word: str) -> _Source:
    first, _, other = word.partition("|")
    if other:
        try:
            return _source(types, first)
        except BtfError:
            return _source(types, other)
    match = _SOURCE.fullmatch(word)
    if match is None:
        raise ValueError(f"cannot read {word!r} in SOURCES")
    _, in_async, struct, member, nowhere, number, field = match.groups()
    queue = _SQE[field or ""]
    if nowhere:
        return (0, 0, layout.SOURCE_NONE if nowhere == "-" else layout.SOURCE_QUEUE, *queue)
    if number:
        return (int(number), 0, layout.SOURCE_CONST, *queue)
    bits, size = types.member(struct, member)
    return (bits // 8, min(size, 8), layout.SOURCE_ASYNC if in_async else layout.SOURCE_REQUEST, *queue)


def _option(types: Types, word: str | None) -> _Source:
    try:
        return _source(types, word) if word is not None else _NO_SOURCE
    except BtfError:
        return _NO_SOURCE


def _copy(types: Types, prototype: str, option: str | None, count: int) -> tuple[_Source, int, int, int]:
    # The source, its argument, its most bytes and its class. `size` of the source: see struct tl_opcode.
    if option is None:
        return _NO_SOURCE, 0, 0, 0
    in_async = "async:" in option
    argument, member, most, *length = option.replace("async:", "").split(":")
    struct, _, rest = member.partition(".")
    if int(argument) >= count:
        return _NO_SOURCE, 0, 0, 0
    try:
        at = types.member(struct, rest)[0] // 8
    except BtfError:
        return _NO_SOURCE, 0, 0, 0
    base = layout.SOURCE_ASYNC if in_async else layout.SOURCE_REQUEST
    size = 1 + int(length[0]) if length else 0
    content = layout.CLASS_ADDRESS if "sockaddr" in prototype else layout.CLASS_STRUCT
    return (at, size, base, 0, 0), int(argument), int(most), content
