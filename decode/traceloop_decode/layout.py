# SPDX-License-Identifier: Apache-2.0
"""The mirror of ``record.h``: the numbers and struct layouts that the kernel side and user space share.

`record.h` explains and defines them; a test asks a C compiler for every offset, size and value written here.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

RECORD_VERSION: Final = 1

TYPE_CHUNK: Final = 1
TYPE_BASE: Final = 2
TYPE_ENTER: Final = 3
TYPE_EXIT: Final = 4
TYPE_SIGNAL: Final = 5
TYPE_TASK_EXIT: Final = 6
TYPE_SIGNAL_SENT: Final = 7

LENGTH_BITS: Final = 13
LENGTH_MASK: Final = 0x1FFF

NR_MASK: Final = 0x0FFF
NR_WIDE: Final = 0x0FFF
NR_ARGS_SHIFT: Final = 12
NR_ARGS_MASK: Final = 0x7
NR_COMPAT: Final = 0x8000

ITEM_ARG_MASK: Final = 0x07
ITEM_SUB_SHIFT: Final = 3
SUB_NAME: Final = 30
SUB_CONTROL: Final = 31
SUB_MAX: Final = 16
KIND_MASK: Final = 0x0F
ITEM_OUT: Final = 0x20
ITEM_MORE: Final = 0x40
ITEM_FAULT: Final = 0x80

KIND_STRING: Final = 1
KIND_BUFFER: Final = 2
KIND_LENGTH: Final = 3
KIND_IOVEC: Final = 4
KIND_MSG: Final = 5
KIND_ARGV: Final = 6
KIND_MMSG: Final = 7
KIND_IOCB: Final = 8

CLASS_PATH: Final = 0x01
CLASS_NAME: Final = 0x02
CLASS_ARGV: Final = 0x04
CLASS_ADDRESS: Final = 0x08
CLASS_STRUCT: Final = 0x10
CLASS_PAYLOAD: Final = 0x20
CLASS_ANY: Final = 0x3F

LENGTH_RESULT: Final = 6
LENGTH_ONE: Final = 7
RULES: Final = 6
SCALE_BITS: Final = 0
SCALE_PAGES: Final = 0xFFFF
CALLS: Final = 512
CALL_KNOWN: Final = 1
CALL_EXEC: Final = 2
CALL_SELECTED: Final = 4
CALL_OUT_ON_FAILURE: Final = 8
CALL_SIGRETURN: Final = 0x80
SELECTOR_SHIFT: Final = 4
VARIANTS: Final = 1024

BELOW_SHARE: Final = 2048
FRONT_BITS: Final = 12
FRONT_MASK: Final = 0xFFF
LATE: Final = 4

HEADER: Final = Struct("<IIIHH")
"""struct tl_header: stamp, tid, delta_ns, nr, length_type."""
CHUNK: Final = Struct("<IIIHHQQII")
"""struct tl_chunk: header, records, events, cpu, pad."""
BASE: Final = Struct("<IIIHHQ16s")
"""struct tl_base: header (delta_ns: pid), ts_ns, comm."""
SIGNAL: Final = Struct("<48sQQ")
"""struct tl_signal behind its header: siginfo, handler, flags."""
SIGNAL_SENT: Final = Struct("<48sII16s")
"""struct tl_signal_sent behind its header: siginfo, sender_pid, sender_tid, sender_comm."""
TASK_EXIT: Final = Struct("<II")
"""struct tl_task_exit behind its header: code, group_dead."""
ITEM: Final = Struct("<BBHI")
"""struct tl_item: arg, kind, copied, size."""
RULE: Final = Struct("<BBBBHBBBBBBBx")
"""struct tl_rule: arg, kind, length, limit, scale, add, at, pointer, field, width, need, content."""
CALL_HEAD: Final = Struct("<BBBBHH")
"""struct tl_call before its rules: flags, arguments, enter_rules, exit_rules, enter_bytes, exit_bytes."""
CALL_SIZE: Final = CALL_HEAD.size + 2 * RULES * RULE.size
LATE_ENTRY: Final = Struct("<QQQ8x")
"""struct tl_late: from, to, head."""
CPU: Final = Struct("<QQQQQQIIQ128sQI4xQQ32x")
"""struct tl_cpu: pos, end, records, events, busy, base_ns, tid, renames, dropped, late, late_count, open_tid,
reread, unread."""
RING: Final = Struct("<QII4xIIIIII20xIIIIQII32x")
"""struct tl_ring: head, cookie, renames, parts, below, left_out, forgotten, io_urings, left_out_before, version,
init_pid, retries, exited, exit_ns, exit_code, withheld."""
RETRY: Final = Struct("<QII")
"""struct tl_retry: task, nr, failed."""
RETRIES: Final = 256
PARTS_MAX: Final = 8

POSITION_UNIT: Final = 8
"""Records lie at multiples of this, and stamps and lengths count in it."""
RECORD_MAX_BYTES: Final = LENGTH_MASK * POSITION_UNIT


def headers_size(cpus: int) -> int:
    """Bytes of struct tl_ring and the struct tl_cpu of `cpus` CPUs."""
    return RING.size + cpus * CPU.size
