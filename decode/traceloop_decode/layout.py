# SPDX-License-Identifier: Apache-2.0
"""Mirror of ``record.h``, ``marks.h``, ``deaths.h``, ``rules.h`` and ``requests.h``, which the kernel side shares.

The headers define and explain them; a test asks a C compiler for every offset, size and value written here.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

RECORD_VERSION: Final = 2

TYPE_CHUNK: Final = 1
TYPE_BASE: Final = 2
TYPE_ENTER: Final = 3
TYPE_EXIT: Final = 4
TYPE_SIGNAL: Final = 5
TYPE_TASK_EXIT: Final = 6
TYPE_SIGNAL_SENT: Final = 7
TYPE_CALL: Final = 8
TYPE_CALL_OUT: Final = 9
TYPE_RETURN: Final = 10

LENGTH_BITS: Final = 12
LENGTH_MASK: Final = 0x0FFF

TYPE_LEFT: Final = 0
TYPE_SIGNAL_IGNORED: Final = 11
TYPE_SENDER: Final = 12
TYPE_OOM: Final = 13
OUT_OF_MEMORY: Final = 2
OOM_BY_LIMIT: Final = 32
EXIT_OUT_OF_MEMORY: Final = 0x10000
LEVELS: Final = 6
FRAMES: Final = 16
TYPE_CAPABILITY: Final = 14
APART_AREA: Final = 1
APART_RING: Final = 2
GRANTED: Final = 0
REFUSED: Final = 1
NOTES_CAPABILITIES: Final = 1 << 63
NO_RESULT: Final = -1 << 63

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
ITEM_TAIL: Final = 0x10
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
KIND_COUNT: Final = 9

CLASS_PATH: Final = 0x01
CLASS_NAME: Final = 0x02
CLASS_ARGV: Final = 0x04
CLASS_ADDRESS: Final = 0x08
CLASS_STRUCT: Final = 0x10
CLASS_PAYLOAD: Final = 0x20
CLASS_ANY: Final = 0x3F

LENGTH_RESULT: Final = 6
LENGTH_ONE: Final = 7
LENGTH_INT: Final = 8
FIRST_PROCESS: Final = 1 << 63
RULES: Final = 6
ENDS_HEAD: Final = 0
ENDS_BOTH: Final = 1
ENDS_WRITE: Final = 2
SCALE_BITS: Final = 0
SCALE_PAGES: Final = 0xFFFF
CALLS: Final = 512
CALL_KNOWN: Final = 1
CALL_EXEC: Final = 2
CALL_SELECTED: Final = 4
CALL_OUT_ON_FAILURE: Final = 8
SELECTOR_SHIFT: Final = 4
CALL_SIGRETURN: Final = 0x80
CALL_FORKS: Final = 0x100
CALL_LONG: Final = 0x200
CALL_READS: Final = 0x400
CALL_WRITES: Final = 0x800
CALL_NAMES: Final = 0x1000
CALL_OPENS: Final = 0x2000
CALL_QUIET: Final = 0x4000
CALL_ACCOUNTS: Final = 0x8000
VARIANTS: Final = 1024

REQUEST: Final = 0x7000
REQUEST_OPCODE_MASK: Final = 0xFF
REQUEST_ARGS_SHIFT: Final = 8
REQUEST_REFUSED: Final = 0x800
REQUEST_AGAIN: Final = 0x800
REQUEST_LAST: Final = 0x400
REQUEST_ARGS: Final = 6
SOURCE_NONE: Final = 0
SOURCE_REQUEST: Final = 1
SOURCE_ASYNC: Final = 2
SOURCE_CONST: Final = 3
SOURCE_QUEUE: Final = 4
OPCODES: Final = 80

BELOW_SHARE: Final = 2048
FRONT_BITS: Final = 12
FRONT_MASK: Final = 0xFFF
LATE: Final = 4

HEADER: Final = Struct("<IIIHH")
"""struct tl_header: stamp, tid, delta_ns, nr, length_type."""
ROOM: Final = Struct("<Ii")
"""struct tl_room: duration_ns, result (TYPE_CALL) or exit_at (TYPE_CALL_OUT)."""
CHUNK: Final = Struct("<IIIHHQQII")
"""struct tl_chunk: header, records, events, cpu, pad."""
BASE: Final = Struct("<IIIHHQ16s")
"""struct tl_base: header (delta_ns: pid), ts_ns, comm."""
SIGNAL: Final = Struct("<48sQQ")
"""struct tl_signal after its header: siginfo, handler, flags."""
SIGNAL_SENT: Final = Struct("<48sII16s")
"""struct tl_signal_sent after its header: siginfo, sender_pid, sender_tid, sender_comm."""
LEVEL: Final = Struct("<QQ")
"""struct tl_level: usage_bytes, limit_bytes."""
FAULT: Final = Struct("<6Q128s")
"""struct tl_fault before its stack: ip, sp, trap, error_code, code_begin, code_end, addresses."""
STACK_FRAME: Final = Struct("<i20sQ")
"""struct tl_stack_frame: status, build_id, at."""
TASK_EXIT: Final = Struct("<II")
"""struct tl_task_exit after its header: code, group_dead."""
ITEM: Final = Struct("<BBHI")
"""struct tl_item: arg, kind, copied, size."""
RULE: Final = Struct("<BBBBHBBBBBBBB")
"""struct tl_rule: arg, kind, length, limit, scale, add, at, pointer, field, width, need, content, ends."""
CALL_HEAD: Final = Struct("<HBBBxHH")
"""struct tl_call before its rules: flags, arguments, enter_rules, exit_rules, enter_bytes, exit_bytes."""
CALL_SIZE: Final = CALL_HEAD.size + 2 * RULES * RULE.size
REQUEST_HEAD: Final = Struct("<IIQII")
"""struct tl_request: request, instance, user_data, flags, slot."""
REQUEST_DONE: Final = Struct("<IIQiI")
"""struct tl_request_done: request, instance, user_data, result, flags."""
SOURCE: Final = Struct("<HBBBB")
"""struct tl_source: at, size, base, sqe_at, sqe_size."""
OPCODE_REST: Final = Struct("<HBBBBBB")
"""struct tl_opcode after its sources: copy_bytes, count, names, strings, copied, content, advanced."""
LATE_ENTRY: Final = Struct("<QQQ8x")
"""struct tl_late: from, to, head."""
LATE_PAD: Final = Struct("<24xQ")
"""The pad of struct tl_late."""
CAPABILITY: Final = Struct("<II")
"""struct tl_capability after its header: number, granted."""
CPU: Final = Struct("<QQQQQQIIQ128sQI4xQQQ16xQ")
"""struct tl_cpu: pos, end, records, events, busy, base_ns, tid, renames, dropped, late, late_count, open_tid,
reread, unread, open, keeping."""
RING: Final = Struct("<QII4xIIIIII12xQIIIIQII32x")
"""struct tl_ring: head, cookie, renames, parts, below, left_out, forgotten, io_urings, left_out_before, pad, version,
init_pid, retries, exited, exit_ns, exit_code, withheld."""
RETRY: Final = Struct("<QII")
"""struct tl_retry: task, nr, failed."""
RETRIES: Final = 256
AREA: Final = Struct("<QQQII")
"""struct tl_area: head, valid, dropped, size, kept."""
AREAS: Final = ("firsts", "runtime")
"""The areas of a ring, by number: TL_AREA_FIRSTS, TL_AREA_RUNTIME."""
TOTAL_CALLS: Final = 512
TOTALS_MAX: Final = 8
TOTALS_SIZE: Final = 12 * TOTAL_CALLS + 16
"""Size of struct tl_totals: calls (8 bytes each), failed (4 bytes each), read_bytes, written_bytes."""
SKIP_BYTES: Final = 8 * 16
GROUPS_BYTES: Final = 8 * 512
SEEN_BYTES: Final = 4 * 4096
PARTS_MAX: Final = 8

POSITION_UNIT: Final = 8
"""Unit of positions: records begin at its multiples, and stamps and lengths count in it."""
RECORD_MAX_BYTES: Final = LENGTH_MASK * POSITION_UNIT


class Form(NamedTuple):
    """Form of the records of one version. length_bits: of tl_header.length_type. room: size of a TL_ENTER's tl_room."""

    length_bits: int
    room: int

    @property
    def length_mask(self) -> int:
        """Mask of the length in tl_header.length_type."""
        return (1 << self.length_bits) - 1


FORMS: Final = {1: Form(13, 0), RECORD_VERSION: Form(LENGTH_BITS, ROOM.size)}
"""The versions of records that can be read, by record version. In version 1 each return is a record of its own."""


def headers_size(cpus: int) -> int:
    """Returns the size of struct tl_ring with the struct tl_cpu of `cpus` CPUs, in bytes."""
    return RING.size + cpus * CPU.size
